/* client/libipp/pushes.h - values on their way to engines, some at a time.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_PUSHES_H
#define IPP_CLIENT_LIBIPP_PUSHES_H

#include "client/libipp/session.h"

/* Requests under way: each holds a descriptor here until the controller has taken it. */
#define PUSHES_WINDOW 64

struct pushes {
	struct ipp_client *client;
	const char *name;
	uint64_t requests[PUSHES_WINDOW]; /* not answered */
	size_t n;
	size_t n_failures;
	uint32_t failed; /* the first that could not, and why */
	char why[256];
};

/* All zero but for client and name at the beginning. */

/* Send one (borrows all; `payload` holds an array's bytes) and see that there is room for another.
 * 0 or a negative errno. */
int pushes_send(struct pushes *pushes, const uint32_t *targets, size_t n_targets,
		const struct ipp_value *value, struct blob *payload, struct ipp_error *err);

/* Wait for all answers; -EIO names a target that could not. */
int pushes_finish(struct pushes *pushes, struct ipp_error *err);

#endif
