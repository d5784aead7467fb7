/* client/errand_result.h - what a request gave that did something with a variable: what the verb
 * says that waits for it.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_ERRAND_RESULT_H
#define IPP_CLIENT_ERRAND_RESULT_H

#include "client/ipp/client.h"

struct ipp_error;

/* It has ended, as `fetched` says.
 *   path  -o, or NULL */
int errand_result(struct ipp_client *client, uint64_t id, const struct ipp_fetched *fetched,
		  const char *path, struct ipp_error *err);

#endif
