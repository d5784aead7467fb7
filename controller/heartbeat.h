/* controller/heartbeat.h - notices engines that are silent, such as stopped ones, whose sockets the
 * kernel keeps open and alive.
 *
 * An engine that owes an answer and sends nothing, nor takes what it is sent, is probed after one
 * period and given up HEARTBEAT_PERIODS later.  One that ends no task is probed as well, whatever
 * else it says, for it looks then whether its worker is stopped.  A controller that finds itself
 * late, because it was stopped or the machine was, charges nobody.  Thread: loop thread only. */
#ifndef IPP_CONTROLLER_HEARTBEAT_H
#define IPP_CONTROLLER_HEARTBEAT_H

#define HEARTBEAT_MS 2000 /* five of them: a silent engine is lost within 10 s */
#define HEARTBEAT_PERIODS 3

struct cluster;
struct heartbeat;

/* Watch the cluster's engines (gives; borrows `cluster`); NULL when out of memory. */
struct heartbeat *heartbeat_start(struct cluster *cluster, int period_ms);
void heartbeat_stop(struct heartbeat *heartbeat); /* NULL is fine */

#endif
