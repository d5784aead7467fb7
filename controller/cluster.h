/* controller/cluster.h - one controller's engines, clients and requests, and how it all ends.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_CLUSTER_H
#define IPP_CONTROLLER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/history.h"
#include "controller/line.h"
#include "controller/request_index.h"
#include "proto/items.h"
#include "proto/link.h"

struct client;
struct curfew;
struct engine;
struct event;
struct event_base;
struct fetch;
struct request;
struct setup;
struct survey;

/* A rank that only waits for the end. */
struct standby {
	struct link *link;
	int32_t rank;
};

struct cluster {
	struct event_base *base;
	const struct setup *setup;
	struct engine **engines; /* by rank; NULL where none has greeted us yet */
	size_t n_ranks;		 /* length of engines */
	size_t n_live;		 /* engines with a link */
	struct client *clients;
	struct standby *standbys;
	size_t n_standbys;
	struct request *requests;	    /* that have not ended, the latest first */
	struct request_index index;	    /* of those */
	struct line line;		    /* maps that have something to hand out */
	uint64_t n_requests;		    /* there ever were */
	struct request *ended, *last_ended; /* retired, and who waits for them does not know yet */
	struct history history;
	struct fetch *fetches;
	struct survey *surveys;
	struct items_room items; /* of maps, not handed out */
	size_t kept_bytes;	 /* results of detached requests, in memory */
	double served_us;	 /* where the line stands, see scheduler.h */
	uint32_t clients_seen;
	uint64_t serial;	  /* of the latest push or call that neighbours may hand on */
	struct event *schedule;	  /* made active when there may be something to hand out */
	struct event *deadline;	  /* for readiness */
	struct event *deserted;	  /* while it is ready and has no engine */
	struct event *stranded;	  /* see stranded.h */
	struct event *returning;  /* see returning.h */
	struct curfew *curfew;	  /* see curfew.h */
	struct event *last_words; /* while goodbyes drain */
	int ready_fd;		  /* closed once readiness is decided; then -1 */
	struct event *starter;	  /* that it hangs up there before */
	bool ready, ending;
};

/* Borrows `base` and `setup`, takes setup's ready_fd; 0 or -ENOMEM. */
int cluster_init(struct cluster *cluster, struct event_base *base, const struct setup *setup);
void cluster_fini(struct cluster *cluster);

/* A peer has proved who it is and said HELLO (takes `link`). */
void cluster_admit(struct cluster *cluster, struct link *link, const Ipp__Hello *hello);

/* A rank registered or was lost: tell whoever waits for readiness, which takes all ranks, standbys
 * too, lest one come when all is over; without any engine for 10 s the cluster ends, unless it was
 * started by hand, where engines come and go. */
void cluster_count(struct cluster *cluster);

/* An engine came that can run nothing: who waits for readiness waits in vain. */
void cluster_hopeless(struct cluster *cluster, const Ipp__Hello *hello);

/* Say goodbye to everyone and leave the loop once that has been sent. */
void cluster_end(struct cluster *cluster, const char *why);

/* Something may be handed out: the scheduler runs once at the end of this turn. */
void cluster_wake(struct cluster *cluster);

/* Tell every client. */
void cluster_notice(struct cluster *cluster, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
