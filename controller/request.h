/* controller/request.h - what a client asked for: a map, an apply, a push; then what is remembered
 * of it.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_REQUEST_H
#define IPP_CONTROLLER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/ranks.h"
#include "proto/ipp.pb-c.h"
#include "proto/items.h"
#include "proto/link.h"

struct client;
struct cluster;
struct event;
struct kept_results;

/* Bytes of a label that are kept; the names of variables, which are told to clients, are shorter.
 */
#define REQUEST_LABEL_MAX 256

enum request_kind {
	REQUEST_MAP,	 /* tasks for whichever engine is free */
	REQUEST_APPLY,	 /* a task for each target */
	REQUEST_PUSH,	 /* a value for each target; answered by one RESULTS */
	REQUEST_SCATTER, /* the same, each target having a value of its own */
	REQUEST_PULL,	 /* a RESULTS from each target */
	REQUEST_GATHER,	 /* the same */
	REQUEST_LIST,	 /* likewise */
	REQUEST_REMOVE,	 /* answered by one RESULTS */
};

enum request_state {
	REQUEST_WAITING, /* nothing of it was handed out */
	REQUEST_RUNNING,
	REQUEST_DONE,	   /* all its tasks ended well */
	REQUEST_FAILED,	   /* a task did not, or it could not be run to its end */
	REQUEST_CANCELLED, /* by a client, or because its own left */
	REQUEST_DRAINED,   /* for want of time: another job can go on where it ended */
};

/* What a request waits for: how others end. */
struct condition {
	Ipp__Ending ending; /* how each has to */
	bool any;	    /* one of them is enough */
	uint64_t drained;   /* one that did not come to its end; 0: none */
	size_t n, n_met, n_open;
};

/* A request that waits for this one's end, if it is still there then. */
struct waiter {
	uint64_t id;
	bool follow;
};

struct request {
	struct request *next, **at; /* in the cluster's list, and what points there to it */
	size_t in_line; /* place in the cluster's line, see line.h; 0: it is not in it */
	uint64_t place; /* of all that there ever were */
	uint64_t id;	/* client number << 32 | its own number */
	enum request_kind kind;
	struct cluster *cluster;
	struct client *client; /* borrowed; NULL: it left, and the request is detached */
	uint32_t *targets;     /* ranks; all but maps */
	uint32_t n_targets;
	uint8_t *call; /* packed Call, as the client sent it */
	size_t call_bytes;
	struct blob *arguments;	 /* its payload, or NULL */
	uint64_t serial;	 /* by which neighbours ask for that; 0: none was told to */
	struct slices pending;	 /* maps: not handed out, in order */
	uint64_t n_received;	 /* items the client has sent */
	uint64_t next_item;	 /* index from which on the next ones may be */
	uint64_t total;		 /* how many it will send; UINT64_MAX until it says */
	uint64_t n_done;	 /* results given to the client, or targets that answered a push */
	double task_us;		 /* how long its tasks have been taking; 0: not known yet */
	double long_us;		 /* how long the longest of late took; likewise */
	double served_us;	 /* engine time it was given, see scheduler.h */
	Ipp__Failure **failures; /* push and remove: targets that could not */
	size_t n_failures;
	unsigned n_moving; /* pull: values on their way from other nodes, see errand.h */

	/* What lists of requests and those that depend on it want to know. */
	enum request_state state;
	uint32_t n_stopping; /* engines that were told to stop it and have not said that they did */
	char *label;
	const char *name;     /* of the variable, if it is about one: the end of the label */
	char *why;	      /* it ended early: one sentence; else NULL */
	uint64_t n_failed;    /* tasks, or targets of a push */
	int64_t submitted_us; /* CLOCK_REALTIME */
	int64_t started_us, ended_us; /* 0: not yet */
	struct ranks ran;	      /* engines that ended some of its tasks */

	struct condition after, follow; /* nothing of it is handed out before they are met */
	bool waits;			/* they are not */
	struct event *patience;		/* how long it does; NULL: as long as it takes */
	struct ranks among; /* engines that ran what it follows, if it does: only they may */
	struct waiter *waiters;
	size_t n_waiters, waiters_room;

	/* Of maps: what the user said about handing out; 0: nothing. */
	uint32_t retries, chunk, hwm;
	struct ranks chosen; /* engines that may run it; all, when there are none */
	uint32_t n_chosen;

	struct kept_results *kept; /* detached: what it gave so far; else NULL */
	bool first_failure_ends;   /* nothing more is handed out once a task failed */
	bool stopped;		   /* that has happened: items that still come are dropped */
	bool drains;		   /* its client wants nothing more begun, see curfew.h */
};

/* In the cluster's list (takes the new one); NULL when out of memory.  `label` may be NULL. */
struct request *request_new(struct client *client, uint64_t id, enum request_kind kind,
			    const Ipp__Targets *targets, const char *label);

/* There are some, and no more than a cluster may have. */
bool request_can_have(const Ipp__Targets *targets);

/* More targets of a scatter.  0, -EPROTO or -ENOMEM. */
int request_add_targets(struct request *request, const Ipp__Targets *targets);

/* Its client has sent all of it. */
bool request_is_whole(const struct request *request);

/* Keep the packed call to open it on engines. 0 or -ENOMEM. */
int request_keep_call(struct request *request, const struct frame *frame);

/* It is detached: what it gives is kept.  0 or -ENOMEM. */
int request_keep_results(struct request *request);

/* Out of its cluster's list, and less what is only needed to run it: for the history. */
void request_retire(struct request *request);
void request_free(struct request *request); /* it was retired */

/* `text` is why target `rank` could not.  The new failure (borrowed); NULL when there is no memory,
 * which drops the text, not the count. */
Ipp__Failure *request_fail_target(struct request *request, uint32_t rank, const char *text);

/* All results were given to the client, or all targets answered. */
bool request_finished(const struct request *request);

/* A map may run on engine `rank`. */
bool request_may_use(const struct request *request, uint32_t rank);

/* Learn from a task that took `elapsed_us` and was thought to take `expected_us`. */
void request_learn(struct request *request, uint64_t elapsed_us, double expected_us);

/* Some of it was handed out for the first time. */
void request_started(struct request *request);

/* "3.1", as people write request ids: client, and which of its requests. */
#define REQUEST_NAME_BYTES 24
const char *request_name(uint64_t id, char name[REQUEST_NAME_BYTES]);

/* "waiting", "running", ... */
const char *request_state_name(enum request_state state);

#endif
