/* ipp/client.h - drive the engines of a cluster: a direct view (this on engines 0, 2 and 5) and a
 * load-balanced view (these items over whichever engine is free).
 *
 * One thread uses a client at a time; ipp_interrupt() alone may be called from anywhere.  Functions
 * return 0 or a negative errno, and then `err` holds one sentence for people. */
#ifndef IPP_CLIENT_H
#define IPP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ipp/module.h>

struct ipp_error;
struct ipp_client;

/* ---- connect ---- */

struct ipp_connect {
	/* Where there is no cluster: 0 refuses, else start engines on this machine that end with
	 * this process; IPP_ENGINE_PER_CPU starts one for each CPU we may use. */
	unsigned local_engines;
	bool own_engines;		  /* start them even where there is a cluster */
	unsigned timeout_ms;		  /* to reach a cluster, or to start one; 0: 60 s */
	void (*notice)(const char *text); /* the loss of an engine and the like; may be NULL */
};
#define IPP_ENGINE_PER_CPU UINT32_MAX

/* Reach the cluster that IPP_CONNECT names, or that was started by hand in this job or on this
 * machine (gives *out).  -ENOENT: there is none; -ECONNREFUSED: it is gone or on another node;
 * -EINVAL: what names it makes no sense. */
int ipp_connect(struct ipp_client **out, const struct ipp_connect *options, struct ipp_error *err);
void ipp_disconnect(struct ipp_client *client); /* NULL is fine; what still runs is cancelled */

/* End the running ipp_run() early: it cancels its tasks and returns -EINTR.  Async-signal-safe. */
void ipp_interrupt(struct ipp_client *client);

/* ---- engines ---- */

struct ipp_engine {
	uint32_t rank;
	uint32_t pid;
	const char *host;
};

/* The live engines, by rank (borrowed until the next call or ipp_disconnect()). */
int ipp_engines(struct ipp_client *client, const struct ipp_engine **out, size_t *n,
		struct ipp_error *err);

/* End the whole cluster. */
int ipp_stop(struct ipp_client *client, struct ipp_error *err);

/* ---- direct view: variables ---- */

/* Set variable `name` on each of `targets` (n_targets ranks) and wait until all have it.  The value
 * is copied once; engines of one node share the copy.  Names the targets that could not. */
int ipp_push(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     const struct ipp_value *value, struct ipp_error *err);

/* ---- run functions and commands ---- */

enum ipp_outcome {
	IPP_OK,
	IPP_ERROR,
	IPP_EXITED,
	IPP_KILLED,
	IPP_NO_COMMAND,
	IPP_CANCELLED,
	IPP_LOST,
	IPP_TIMED_OUT
};

/* One task's end; valid during the callback. */
struct ipp_result {
	uint64_t index; /* of the item, or of the target */
	uint32_t engine;
	enum ipp_outcome outcome;
	int code;	    /* exit code, signal number, or the function's value */
	const char *error;  /* one sentence; "" when IPP_OK */
	int64_t started_us; /* CLOCK_REALTIME of its engine */
	uint64_t elapsed_us;
	const char *out, *err; /* what a command wrote; not NUL-terminated */
	size_t out_bytes, err_bytes;
	struct ipp_value value; /* what a function returned */
	unsigned tries;		/* how often it had been run before */
};

struct ipp_argument {
	const char *name;
	struct ipp_value value; /* integer, real or text */
};

struct ipp_run {
	/* What: a native function "MODULE.so:NAME"; or a line for the shell that each engine keeps;
	 * or a script, whose bytes are sent, and in argv its name and arguments; or a command, in
	 * whose words {} is the item. */
	const char *function;
	const char *line;
	const void *script;
	size_t script_bytes;
	const char *const *argv;	      /* ends with NULL */
	const char *directory;		      /* of commands; NULL: the engine's */
	const struct ipp_argument *arguments; /* of functions */
	size_t n_arguments;

	/* Direct view: once on each target.  None: load-balanced over the items. */
	const uint32_t *targets;
	size_t n_targets;

	uint32_t task_timeout_ms; /* a task that runs longer is killed; 0: never */

	/* Of maps: */
	const uint32_t *among; /* engines that may run it; none: all */
	size_t n_among;
	uint32_t retries;      /* how often a task that failed is run again */
	uint32_t chunk;	       /* tasks handed out at once; 0: by how long they take */
	uint32_t hwm;	       /* tasks an engine may have before it; 0: by how long they take */
	bool unordered;	       /* results as they come, not in input order */
	const uint64_t *after; /* requests that must have ended well before it starts */
	size_t n_after;
	const uint64_t *follow; /* the same, and it runs only on engines that ran some of them */
	size_t n_follow;

	bool detached;	   /* outlives this client, and the controller keeps its results */
	const char *label; /* what a person calls it, for lists of requests; may be NULL */

	/* Items, asked for as there is room for them.  1: *item was set (integer or text, valid
	 * until the next call); 0: no more; or a negative errno, which ends the run. */
	int (*next)(void *owner, struct ipp_value *item);

	/* A task ended; in input order.  Returns 0, or anything else to stop the run. */
	int (*done)(void *owner, const struct ipp_result *result);
	void *owner;
};

/* Run it to the end.  0 when every task was reported, however it ended; -EINTR after
 * ipp_interrupt(); -ECANCELED when done() stopped it; or the controller was lost. */
int ipp_run(struct ipp_client *client, const struct ipp_run *run, struct ipp_error *err);

/* ---- requests, of all clients ---- */

/* A call or a push that waits, runs, or has ended. */
struct ipp_request_info {
	uint64_t id;		      /* people write it CLIENT.NUMBER: its upper and lower half */
	const char *label;	      /* what its client called it; "" when it did not */
	const char *state;	      /* "waiting", "running", "done", "failed", "cancelled" */
	uint64_t tasks, done, failed; /* tasks so far */
	int64_t submitted_us;	      /* CLOCK_REALTIME of the controller's node */
	int64_t started_us, ended_us; /* 0: not yet */
	bool detached;		      /* its results are kept */
	bool map;		      /* of the load-balanced view */
};

/* All that the controller knows, by time of submission; of ended ones the last 1000 or so (borrowed
 * until the next call or ipp_disconnect()). */
int ipp_requests(struct ipp_client *client, const struct ipp_request_info **out, size_t *n,
		 struct ipp_error *err);

/* End a request of another client, which is told.  -ESRCH: there is none, or it has ended. */
int ipp_cancel_request(struct ipp_client *client, uint64_t id, struct ipp_error *err);

/* ---- how the engines are ---- */

struct ipp_engine_status {
	uint32_t rank, pid;
	const char *host;
	const char *state; /* "idle", "busy", "silent" (no answer for a second), "lost" */
	uint64_t done, failed, queued; /* tasks */
	uint64_t busy_us, up_us;       /* in tasks, of the time since it registered */
	uint64_t memory_bytes;	       /* resident: guard, engine and worker */
	uint64_t losses;	       /* how often it was lost */
};

struct ipp_status {
	const struct ipp_engine_status *engines; /* by rank */
	size_t n_engines;
	uint64_t clients;
	uint64_t pending; /* tasks that no engine was given yet */
};

/* Borrowed until the next call or ipp_disconnect(). */
int ipp_status(struct ipp_client *client, const struct ipp_status **out, struct ipp_error *err);

#endif
