/* controller/dependency.h - requests that wait for others to have ended well.
 *
 * `after` holds a request back; `follow` also keeps it to the engines that ran some of the other's
 * tasks.  What it waits for may have ended before, as long as the history remembers it.
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_DEPENDENCY_H
#define IPP_CONTROLLER_DEPENDENCY_H

#include "proto/ipp.pb-c.h"

struct cluster;
struct ipp_error;
struct request;

/* Make a new request wait for what its call names.  0; -ENOENT or -ECANCELED: it can never run,
 * and err says why; -ENOMEM. */
int dependency_add(struct request *request, const Ipp__Call *call, struct ipp_error *err);

/* `ended` did, and is the first of cluster->ended: whoever waited for it starts, or never will and
 * is the last of cluster->ended. */
void dependency_settle(struct cluster *cluster, const struct request *ended);

#endif
