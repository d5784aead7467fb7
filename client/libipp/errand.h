/* client/libipp/errand.h - something done with a variable of each target, as a request.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_ERRAND_H
#define IPP_CLIENT_LIBIPP_ERRAND_H

#include "client/ipp/client.h"

struct blob;
struct ipp_request;

/* Submit it and wait for its end. */
int errand_run(struct ipp_client *client, const struct ipp_errand *errand, struct ipp_error *err);

/* Send the value (borrows) or the array that it names; a scatter may wait for the controller to
 * take what it was sent.  0 or a negative errno. */
int push_send(struct ipp_request *request, const struct ipp_errand *errand, struct ipp_error *err);
int scatter_send(struct ipp_request *request, const struct ipp_errand *errand,
		 struct ipp_error *err);

/* One PUSH frame, whose array is in the payload.
 *   total  of a scatter: targets in all; else 0 */
void push_frame(struct ipp_request *request, const uint32_t *targets, size_t n_targets,
		size_t total, const struct ipp_value *value, struct blob *payload);

/* ipp_pull() without asking first whether all have it. */
int pull_each(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	      const char *name,
	      int (*take)(void *owner, size_t place, const struct ipp_value *value), void *owner,
	      struct ipp_error *err);

#endif
