/* engine/engine_impl.h - what engine.c, which talks to the controller, shares with work.c, which
 * has the queue and the worker, and autopsy.c, which says why that died.
 *
 * Thread: loop thread only. */
#ifndef IPP_ENGINE_ENGINE_IMPL_H
#define IPP_ENGINE_ENGINE_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/errands.h"
#include "engine/health.h"
#include "engine/namespace.h"
#include "engine/progress.h"
#include "engine/time_limits.h"
#include "proto/alert.h"
#include "proto/items.h"
#include "proto/link.h"

struct dial;
struct doomed;
struct event;
struct held;
struct kept;
struct share;
struct verdict;
struct worker_process;

struct engine {
	struct event_base *base;
	struct alert alert;
	const struct engine_options *options;
	struct dial *dial;
	struct event *signals[2]; /* SIGUSR1 and SIGTERM */
	struct link *controller;
	struct worker_process *worker;
	struct kept *kept;
	struct namespace names; /* as the tasks and errands before the queue left it */
	struct slices queue;	/* no result yet, in order: the worker's tasks, and our errands */
	struct errands errands;
	struct share *share;	   /* with neighbours; NULL beside the controller */
	struct held *fetching;	   /* its payload is with a neighbour; all else waits; NULL: none */
	uint64_t fetching_serial;  /* by which that one knows it */
	struct held *held, **hold; /* what waits, and where the next goes */
	struct verdict *verdicts;
	struct doomed *doomed;
	bool holding; /* the worker begins nothing, and has yet to say so: it gets no tasks */
	struct health health;
	struct time_limits limits;
	struct event *waiting; /* time to see whether results wait behind a long task */
	struct progress late;  /* what the worker is being killed for, while that is running */
	bool spoilt;  /* the worker is being killed for what it said, which user code wrote over */
	bool stopped; /* the worker was, by a signal, when we last looked */
	unsigned idle_deaths; /* workers in a row that died and ran nothing */
	int32_t rank;
	bool welcome, goodbye;
	char trouble[300]; /* why it can run nothing; empty: it can */
	int exit_code;
};

/* ---- engine.c ---- */

void engine_leave(struct engine *engine, int exit_code); /* out of the loop */
void engine_dial(struct engine *engine);		 /* reach the controller */

/* ---- autopsy.c ---- */

/* The worker ended as waitpid() says: whether it died of a task, rather than by chance while it was
 * at one.  Then there is a verdict on that. */
bool autopsy(struct engine *engine, int status);

/* ---- work.c ---- */

int work_init(struct engine *engine); /* 0 or -ENOMEM */
void work_fini(struct engine *engine);

/* Start a worker that is told all that one must know; where none can be, the engine gives up. */
void work_start(struct engine *engine);

/* Whether the worker is stopped, as it was the last time: then it is replaced. */
void work_look(struct engine *engine);

void work_end(struct engine *engine); /* end it, and what it is at */

/* A request's CALL, which every worker must see.  0 or -ENOMEM. */
int work_open(struct engine *engine, const struct frame *frame, const Ipp__Call *call);
void work_close(struct engine *engine, uint64_t request);

/* The payload of the open CALL of that serial, or NULL. */
struct blob *work_payload(const struct engine *engine, uint64_t serial);

/* Tasks for the worker.  0, or -EPROTO when they are malformed. */
int work_add_tasks(struct engine *engine, const struct frame *frame);

/* Something for us, in turn with the worker's tasks (takes `head`, references `payload`).  0 or
 * -ENOMEM. */
int work_add_errand(struct engine *engine, uint16_t type, uint64_t request, uint64_t index,
		    ProtobufCMessage *head, struct blob *payload);

/* No more of the request: nothing that is queued will begin, and what runs was killed.  0 or
 * -ENOMEM. */
int work_cancel(struct engine *engine, uint64_t request);

/* It was, and what it left in the queue is to be dropped. */
bool work_is_doomed(const struct engine *engine, uint64_t request);

/* Forget what of the request waits behind the task that runs; how many tasks that were.  None where
 * it cannot be told what runs. */
uint64_t work_recall(struct engine *engine, uint64_t request);

#endif
