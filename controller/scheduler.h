/* controller/scheduler.h - who runs what next.
 *
 * Tasks of direct views go to their engine.  Tasks of maps go to whoever has room, in batches sized
 * by how long tasks have been taking (guided self-scheduling: Polychronopoulos and Kuck, 1987), so
 * that short ones share a frame and long ones are handed out singly.
 *
 * Requests share the engines by engine time: whoever had least of it is next, and one that joins or
 * comes back starts where the line stands, without credit or debt (start-time fair queueing: Goyal,
 * Vin and Cheng, 1996).
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_SCHEDULER_H
#define IPP_CONTROLLER_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

struct cluster;
struct engine;
struct request;

/* How many more tasks an engine should get.
 *   task_us       what a task takes, 0 when not known yet
 *   in_flight     tasks it has, which should take in_flight_us
 *   pending       tasks of the map not handed out, for n_engines engines */
uint64_t scheduler_quota(double task_us, uint64_t in_flight, double in_flight_us, uint64_t pending,
			 uint64_t n_engines);

/* The same where a user has a say: scheduler_quota() says when, `chunk` how many at once, and `hwm`
 * how many an engine may have in all; 0: not said.
 *   quota  what scheduler_quota() said
 *   share  its part of what is not handed out: no more is given because of `hwm` at once */
uint64_t scheduler_bounded(uint64_t quota, uint64_t in_flight, uint64_t share, uint32_t chunk,
			   uint32_t hwm);

/* The request is about to have something to hand out, or may do so now: it takes its place in the
 * line, unless it waits for others. */
void scheduler_joins(struct request *request);
void scheduler_leaves(struct request *request); /* it has nothing any more */

/* It was given so much engine time; less than nothing: so much less than was thought. */
void scheduler_charge(struct request *request, double us);

/* Whether tasks of the map may begin on the engine, if there are any. */
bool scheduler_allows(const struct request *request, const struct engine *engine);

/* Hand out what can be handed out. */
void scheduler_run(struct cluster *cluster);

#endif
