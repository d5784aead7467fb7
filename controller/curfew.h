/* controller/curfew.h - from when on no task may begin, since the job's time is over or somebody
 * said so.
 *
 * Slurm kills a job at its end.  A task that by the run times seen so far could not end before that
 * is not handed out.  A map that may begin nothing and has nothing running any more ends as
 * drained: its client says how to go on in another job.  SAVE_S before the end, what still runs is
 * given up, so that there is time for that.
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_CURFEW_H
#define IPP_CONTROLLER_CURFEW_H

#include <stdbool.h>
#include <stdint.h>

struct cluster;
struct curfew;
struct request;

/* Slurm is asked a second from now when the job ends, and again from time to time, for that may be
 * changed.  Gives; NULL when out of memory. */
struct curfew *curfew_new(struct cluster *cluster);
void curfew_free(struct curfew *curfew); /* NULL is fine */

/* A signal said so: SIGTERM, after which Slurm kills what is left of the job, or SIGUSR1. */
void curfew_fall(struct cluster *cluster, int signal);

/* The cluster itself ends once nothing runs; at once, when it is said again. */
void curfew_end(struct cluster *cluster);

/* Its client said so, for this map alone. */
void curfew_drain(struct request *request);

/* The scheduler is about to hand out: look at the clock. */
void curfew_look(struct curfew *curfew);

/* Whether a task of the map may begin. */
bool curfew_allows(const struct curfew *curfew, const struct request *request);

/* Whether anything was kept from beginning, as curfew_look() saw it. */
bool curfew_curbs(const struct curfew *curfew);

/* How many of `n` may begin, one after another, behind work that takes `ahead_us`. */
uint64_t curfew_fit(const struct curfew *curfew, const struct request *request, double ahead_us,
		    uint64_t n);

/* The scheduler has handed out what it could: end the maps for which that was all. */
void curfew_settle(struct curfew *curfew);

#endif
