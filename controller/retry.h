/* controller/retry.h - tasks that failed and have tries left.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_RETRY_H
#define IPP_CONTROLLER_RETRY_H

#include <stdbool.h>

#include "proto/ipp.pb-c.h"

struct request;
struct slice;

/* `result` is that of the first task of `slice`.  Note in it how often the task had been run
 * before; and when it failed and is to be run again, put it back into the request's queue and say
 * so in the result.  Whether the result was changed.  Out of memory lets it fail for good. */
bool retry_consider(struct request *request, const struct slice *slice, Ipp__Result *result);

#endif
