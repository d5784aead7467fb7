/* controller/engine.h - one engine as the controller knows it; it outlives its link, so that a
 * restarted engine gets back what had been pushed to it.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_ENGINE_H
#define IPP_CONTROLLER_ENGINE_H

#include "controller/cluster.h"
#include "controller/ids.h"
#include "proto/items.h"

struct client;
struct request;
struct variable;

/* For one that was lost, and may come back: a guard starts its own again within 3 s. */
#define ENGINE_AWAITED_S 10

struct engine {
	struct cluster *cluster;
	uint32_t rank;
	char *host;
	char *share; /* Unix socket where neighbours get what was pushed; NULL on our node */
	uint32_t pid;
	struct link *link;	    /* NULL while it is lost */
	struct slices in_flight;    /* handed out, in the order that results will come */
	double in_flight_us;	    /* how long they should take */
	int64_t since_us;	    /* when the first of them may have begun; CLOCK_MONOTONIC */
	int64_t reckoned_us;	    /* up to then its time was some task's; likewise */
	uint64_t recalled;	    /* the map of which it was asked to give back tasks; 0: none */
	int64_t recalled_us;	    /* when it last was; CLOCK_MONOTONIC */
	int64_t recalled_since_us;  /* since_us then; 0: it gave some back */
	struct slices pinned;	    /* tasks of direct views that wait for it */
	struct slice **passed;	    /* the end of those at its front whose clients are behind */
	double result_bytes;	    /* how large its results of direct views have been of late */
	struct ids opened;	    /* requests whose call it has */
	struct ids unanswered;	    /* pushes and removals it has not answered */
	struct ids restored;	    /* pushes it was sent again when it came back; likewise */
	struct ids stopping;	    /* requests it was told to stop; likewise */
	struct variable *variables; /* its namespace */
	unsigned losses;
	uint64_t n_done, n_failed; /* tasks, in all its lives */
	int64_t joined_us;	   /* the last time; CLOCK_MONOTONIC */
	int64_t lost_us;	   /* likewise */
	int64_t awaited_until_us;  /* lost, see returning.h; likewise; 0: not awaited */
	struct {
		bool busy;
		uint64_t busy_us, memory_bytes;
	} health; /* as it last said */
	struct {
		uint64_t arrivals;
		size_t backlog;
		unsigned silent; /* periods in a row */
	} pulse;		 /* heartbeat.c's */
};

/* An engine said HELLO with this rank, or with -1 for any (takes `link`). */
void engine_admit(struct cluster *cluster, struct link *link, const Ipp__Hello *hello);
void engine_free(struct engine *engine); /* NULL is fine */

int64_t engine_now_us(void); /* CLOCK_MONOTONIC, as in joined_us */

/* Live engine of that rank, or NULL. */
struct engine *engine_find(const struct cluster *cluster, uint32_t rank);

/* How long what it has of the request should take. */
double engine_owes_us(const struct engine *engine, uint64_t request);

/* Whether it has been given something that it has not answered. */
bool engine_owes(const struct engine *engine);

/* It runs nothing of a request any more that was cancelled. */
void engine_stopped(struct engine *engine, uint64_t id);

/* Hand it a slice of `request` (takes the slice). */
void engine_give(struct engine *engine, struct request *request, struct slice *slice);

/* Hand it all tasks of direct views that wait for it, if it is there, but those of other clients
 * than `client` that do not take their results. */
void engine_give_pinned(struct engine *engine, const struct client *client);

/* Put a value into its namespace (controller/variables.h): now, or when it returns, and then there
 * is no answer to wait for.  0 or -ENOMEM. */
int engine_push(struct engine *engine, const Ipp__Push *push, uint64_t serial,
		struct blob *payload);

/* The request is over: the engine may forget it, and with `cancel` must stop running it. */
void engine_forget(struct engine *engine, struct request *request, bool cancel);

#endif
