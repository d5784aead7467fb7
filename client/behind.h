/* client/behind.h - requests that a verb leaves behind (--async). */
#ifndef IPP_CLIENT_BEHIND_H
#define IPP_CLIENT_BEHIND_H

#include "client/verb.h"

/* Like verb_connect(), to a cluster that is there when we are not: no engines of our own. */
int behind_connect(struct ipp_client **out, unsigned engines, struct ipp_error *err);

/* Submit `run` as a detached request and, once all of it has arrived, print its id.  -ECANCELED: it
 * can never run. */
int behind_submit(struct ipp_client *client, struct ipp_run *run, struct ipp_error *err);

/* The same for what is done with a variable, `errand` being detached. */
int behind_errand(struct ipp_client *client, const struct ipp_errand *errand,
		  struct ipp_error *err);

#endif
