/* controller/retry.h - tasks that failed and have tries left.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_RETRY_H
#define IPP_CONTROLLER_RETRY_H

#include <stdbool.h>

#include "proto/ipp.pb-c.h"

struct engine;
struct request;
struct slice;

/* `result` is that of the first task of `slice`, which `engine` ran.  Note in it how often the task
 * had been run before; and when it failed and is to be run again, put it back into the request's
 * queue and say so in the result.  Whether the result was changed.  Out of memory lets it fail for
 * good. */
bool retry_consider(const struct engine *engine, struct request *request, const struct slice *slice,
		    Ipp__Result *result);

/* What `engine` may be given next of the map's queue, as slices_take_at() wants it: no task that
 * failed there, as long as another engine may run that.  NULL when there is nothing for it. */
struct slice **retry_first_for(struct request *request, const struct engine *engine);

#endif
