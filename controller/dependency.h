/* controller/dependency.h - requests that wait for others to end.
 *
 * Both conditions of a call hold it back, `after` and `follow`: that all of some requests, or any,
 * have ended well, badly (which is failed or cancelled), or either.  `follow` also keeps a map to
 * engines that ran some tasks of each of those requests, or, of `any`, of one that met it.  What it
 * waits for may have ended before, as long as the history remembers it.  One that was drained meets
 * no condition: what can now never run for that is drained as well.
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_DEPENDENCY_H
#define IPP_CONTROLLER_DEPENDENCY_H

#include "proto/ipp.pb-c.h"

struct cluster;
struct ipp_error;
struct request;

/* Make a new request wait for what its call names; whether it does is request->waits.  0; -ENOENT
 * or -ECANCELED: it can never run, and err says why; -ETIME: another job can run it; -EPROTO;
 * -ENOMEM. */
int dependency_add(struct request *request, const Ipp__Call *call, struct ipp_error *err);

/* `ended` did, and is the first of cluster->ended: whoever waited for it starts, or never will and
 * is the last of cluster->ended. */
void dependency_settle(struct cluster *cluster, struct request *ended);

#endif
