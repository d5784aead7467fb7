/* ipp/client.h - drive the engines of a cluster: a direct view (this on engines 0, 2 and 5) and a
 * load-balanced view (these items over whichever engine is free).
 *
 * One thread uses a client at a time; ipp_interrupt() and ipp_drain() alone may be called from
 * anywhere.  Functions return 0 or a negative errno, and then `err` holds one sentence for people.
 * What a program gives them is borrowed until they return, unless it says otherwise. */
#ifndef IPP_CLIENT_H
#define IPP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ipp/error.h>
#include <ipp/module.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ipp_client;
struct ipp_request;

/* ---- connect ---- */

struct ipp_connect {
	/* Which cluster: "unix:@NAME" as in IPP_CONNECT, "file:PATH" or the path of a connection
	 * file.  NULL: the one that IPP_CONNECT names, or that was started by hand in this job or
	 * on this machine. */
	const char *cluster;
	/* Where there is no cluster: 0 refuses, else start engines on this machine that end with
	 * this process; IPP_ENGINE_PER_CPU starts one for each CPU we may use. */
	unsigned local_engines;
	bool own_engines;		  /* start them even where there is a cluster */
	unsigned timeout_ms;		  /* to reach a cluster, or to start one; 0: 60 s */
	void (*notice)(const char *text); /* the loss of an engine and the like; may be NULL */
};
#define IPP_ENGINE_PER_CPU UINT32_MAX

/* Reach a cluster (gives *out).  -ENOENT: there is none; -ECONNREFUSED: it is gone or on another
 * node; -EINVAL: what names it makes no sense. */
int ipp_connect(struct ipp_client **out, const struct ipp_connect *options, struct ipp_error *err);

/* NULL is fine.  What still runs is cancelled, but for detached requests. */
void ipp_disconnect(struct ipp_client *client);

/* The function that waits returns -EINTR at once, or else the next one that would wait;
 * ipp_run() cancels its tasks then.  Async-signal-safe. */
void ipp_interrupt(struct ipp_client *client);

/* The maps of this client, but for detached ones, begin nothing more: once what runs has ended, and
 * those results were given, functions that wait for them return -ETIME unless all is done.  What
 * still runs after `limit_ms` (-1: no limit) is cancelled then.  For a job that is about to end.
 * Async-signal-safe. */
void ipp_drain(struct ipp_client *client, int limit_ms);

/* For programs with a loop of their own: the descriptor to poll(), and what for; then call
 * ipp_dispatch(), which does what can be done without waiting.  Ask again after each call of this
 * library: *what changes.  -1 once the controller is lost. */
int ipp_fd(const struct ipp_client *client, short *what);
void ipp_dispatch(struct ipp_client *client);

/* ---- engines ---- */

struct ipp_engine {
	uint32_t rank;
	uint32_t pid;
	const char *host;
};

/* The live engines, by rank (borrowed until the next call or ipp_disconnect()).  Waits for engines
 * that were lost and are being started again: some tenths of a second, and 10 s after the loss of
 * one that does not come back. */
int ipp_engines(struct ipp_client *client, const struct ipp_engine **out, size_t *n,
		struct ipp_error *err);

/* End the whole cluster.  -ETIMEDOUT: its controller has not ended after ten seconds. */
int ipp_stop(struct ipp_client *client, struct ipp_error *err);

/* Start a cluster of engines on this machine that outlives this process and that ipp_connect()
 * finds from now on.  What its engines say goes to ~/.slurm-ipp/local-HOST.log.
 *   timeout_ms  for all of them to be ready, and for another call of ipp_start() or ipp_stop() that
 *               is at work here; 0: 60 s; it returns five seconds later at the latest
 * -EEXIST: one runs here already, or is being started; -ETIMEDOUT: it was not ready in time.
 * No process of it is left when it fails, nor when the caller is killed before it is ready. */
int ipp_start(unsigned n_engines, unsigned timeout_ms, struct ipp_error *err);

/* CPUs that this process may use: so many engines suit this machine. */
unsigned ipp_local_cpus(void);

/* ---- direct view: variables ---- */

/* Variables live in the engines.  A name has up to 255 letters, digits and _ . - and begins with a
 * letter or _.  Whatever is done to a variable of a target is done behind the tasks that it has
 * been given before.  `targets` are n_targets ranks, each once. */

/* Set variable `name` on each of `targets` and wait until all have it.  The value is copied once;
 * engines of one node share the copy.  Names the targets that could not. */
int ipp_push(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     const struct ipp_value *value, struct ipp_error *err);

/* The same for the array in the file `path`, if it is named *.npy, or else for the bytes of that
 * file, which become an array of |u1.  They are not read into this process. */
int ipp_push_file(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		  const char *name, const char *path, struct ipp_error *err);

/* Cut an array along its first axis into as many shares as there are targets, as evenly as
 * np.array_split does, and set variable `name` of each target to its share, in the order of
 * `targets`.  -EINVAL: no array, or fewer rows than targets. */
int ipp_scatter(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		const char *name, const struct ipp_value *array, struct ipp_error *err);
int ipp_scatter_file(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		     const char *name, const char *path, struct ipp_error *err);

/* Read variable `name` of each target: take() is called in the order of `targets` with the place in
 * that order and the value, valid during the call; what it returns other than 0 ends the pull with
 * that.  A few values are under way at a time, however many targets there are.  -ENOENT: some have
 * no such variable, and `err` names them; take() was not called then. */
int ipp_pull(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     int (*take)(void *owner, size_t place, const struct ipp_value *value), void *owner,
	     struct ipp_error *err);

/* Write the bytes of an array to an open file, where that stands.  Of what take() is given, they go
 * there within the kernel if they lie in memory shared with the engine; in a copy of the value that
 * outlives take(), set `origin` to NULL. */
int ipp_value_write(const struct ipp_value *array, int fd, struct ipp_error *err);

/* Join the arrays that the targets call `name` along their first axis, in the order of `targets`:
 * what ipp_scatter() cut is whole again.  In Fortran order if all parts are.  -ENOENT as above;
 * -EINVAL: the parts are no arrays that fit, by dtype and the other axes. */
struct ipp_gathered {
	struct ipp_value value;
	void *memory; /* that it lies in */
};
int ipp_gather(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	       const char *name, struct ipp_gathered *out, struct ipp_error *err);
void ipp_gathered_free(struct ipp_gathered *gathered);

/* The same part by part: begin() is told what the whole is like, its value having no data, then
 * take() each part as in ipp_pull(), in the whole's order.  Parts in C order are the whole's bytes
 * one after another.  begin() may return what ends it, like take(). */
int ipp_gather_parts(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		     const char *name, int (*begin)(void *owner, const struct ipp_value *whole),
		     int (*take)(void *owner, size_t place, const struct ipp_value *part),
		     void *owner, struct ipp_error *err);

/* What variables the targets have, by name: take() is called for each target in the order of
 * `targets`.  Arrays have no data here, and long texts are cut short. */
struct ipp_variable {
	const char *name;
	struct ipp_value value;
};
int ipp_list(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	     int (*take)(void *owner, size_t place, const struct ipp_variable *variables, size_t n),
	     void *owner, struct ipp_error *err);

/* Forget variable `name` on each target.  -ENOENT: some had none, and `err` names them; the others
 * have forgotten it. */
int ipp_remove(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	       const char *name, struct ipp_error *err);

/* ---- run functions and commands ---- */

/* What a request is about. */
enum ipp_work { IPP_RUN, IPP_PUSH, IPP_SCATTER, IPP_PULL, IPP_GATHER, IPP_LIST, IPP_REMOVE };

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

/* One task's end; valid during the callback, or until the next ipp_next() on its request. */
struct ipp_result {
	uint64_t index; /* of the item, or of the target */
	uint32_t engine;
	enum ipp_outcome outcome;
	int code;	      /* exit code, signal number, or the function's value */
	const char *error;    /* one sentence; "" when IPP_OK */
	const char *host;     /* its engine's */
	int64_t submitted_us; /* CLOCK_REALTIME here, when the item was sent */
	int64_t started_us;   /* CLOCK_REALTIME there; it completed elapsed_us later */
	uint64_t elapsed_us;
	const char *out, *err; /* what a command wrote; not NUL-terminated */
	size_t out_bytes, err_bytes;
	struct ipp_value value;		      /* what a function returned */
	unsigned tries;			      /* how often it had been run before */
	const struct ipp_variable *variables; /* of an IPP_LIST */
	size_t n_variables;
};

/* Named as variables are. */
struct ipp_argument {
	const char *name;
	struct ipp_value value;
	const char *file; /* NULL, or instead of the value: the array in it, as ipp_push_file() */
};

/* Whether "PATH/MODULE.so:NAME" can be sent: its file is there and a shared object.  What the
 * engine finds in it, only a task can say. */
int ipp_check_function(const char *function, struct ipp_error *err);

enum ipp_ending {
	IPP_WELL,
	IPP_BADLY, /* it failed, or was cancelled */
	IPP_EITHER,
};

/* How requests have to end for another to begin; all zero: all of them, and well.  One that was
 * drained, see ipp_drain(), has not ended: what it keeps from beginning ends with -ETIME. */
struct ipp_condition {
	bool any; /* one of them is enough */
	enum ipp_ending ending;
};

struct ipp_run {
	/* What: a native function "MODULE.so:NAME"; or a line for the shell that each engine keeps;
	 * or a script, whose bytes are sent, and in argv its name and arguments; or a command, in
	 * whose words {} is the item.  A module with a slash in its name is a file here, and is
	 * sent to engines that do not see it; one without is slurm-ipp's own. */
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
	uint32_t retries;	/* how often a task that failed is run again */
	uint32_t chunk;		/* tasks handed out at once; 0: by how long they take */
	uint32_t hwm;		/* tasks an engine may have before it; 0: by how long they take */
	bool unordered;		/* results as they come, not in input order */
	const uint64_t *follow; /* like `after`, and it runs only on engines that ran some of each
				 * of them; of `any`, of one that met the condition */
	size_t n_follow;
	struct ipp_condition follow_if;

	/* Requests that must have ended before it begins.  Where one ends otherwise, so that the
	 * condition cannot be met any more, or it has waited for `wait_ms` (0: never), it ends:
	 * -ESHUTDOWN. */
	const uint64_t *after;
	size_t n_after;
	struct ipp_condition after_if;
	uint32_t wait_ms;

	/* It outlives this client; the controller keeps its results, for ipp_fetch() alone. */
	bool detached;
	bool first_failure_ends; /* maps: once a task failed, none is begun that comes behind it */
	const char *label;	 /* what a person calls it, for lists of requests; may be NULL */

	/* Items sent and not taken by done() or ipp_next(): bounds what waits here.  0: as many as
	 * suits done(), and no bound without it. */
	uint32_t window;

	/* Items, asked for as there is room for them.  1: *item was set (integer or text, valid
	 * until the next call); 0: no more; -EAGAIN: none yet, ask again when `items_fd` is to be
	 * read; 2: this one's result is known, so that no task is made of it: known() stands in for
	 * done() then, in its turn; or another negative errno, which ends the request and is what
	 * ipp_wait() returns, with *err as it was. */
	int (*next)(void *owner, struct ipp_value *item);
	int (*known)(void *owner, uint64_t index); /* returns what done() does; may be NULL */
	int items_fd;
	size_t n_values; /* each item is so many texts, with a NUL between; 0 is 1 */

	/* Of maps of functions: an item i, an integer, stands for row i of the first argument, an
	 * array in C order, and that row is what the function sees as its item. */
	bool rows;

	/* A task ended; in input order unless `unordered`.  Returns 0, or anything else to stop the
	 * request.  NULL: results are kept for ipp_next(). */
	int (*done)(void *owner, const struct ipp_result *result);

	/* The same as soon as its result is here, in whatever order: to save it.  May be NULL. */
	int (*arrived)(void *owner, const struct ipp_result *result);

	/* These were told all that had come: a good moment to flush what they wrote.
	 * Returns what done() does; may be NULL. */
	int (*pause)(void *owner);
	void *owner;
};
/* next(), done() and the others are called from within functions of this library that are given the
 * client or one of its requests.  They may submit and cancel, but neither wait nor free. */

/* Run it to the end.  0 when every task was reported, however it ended; -EINTR after
 * ipp_interrupt(); -ECANCELED when done() stopped it; -ESHUTDOWN when it was cancelled from outside
 * or what it depends on failed; -ECONNRESET when the controller was lost; -ETIME when it is not
 * done and nothing is wrong with it: the job's end is near, or it was told to begin nothing more.
 */
int ipp_run(struct ipp_client *client, const struct ipp_run *run, struct ipp_error *err);

/* ---- the same without waiting ---- */

/* Begin (gives *out; `run` itself need not last, its `owner` must).  As many as you like run at the
 * same time.  Work goes on while one of the functions of this library waits or dispatches. */
int ipp_submit(struct ipp_client *client, const struct ipp_run *run, struct ipp_request **out,
	       struct ipp_error *err);

/* Something done with a variable of each target, in the way of the functions above that do it and
 * wait.  Each target gives a result: its value for IPP_PULL and IPP_GATHER, its variables for
 * IPP_LIST; IPP_ERROR with code ENOENT where it has no such variable. */
struct ipp_errand {
	enum ipp_work what; /* other than IPP_RUN */
	const uint32_t *targets;
	size_t n_targets;
	const char *name;	       /* of the variable; not for IPP_LIST */
	const struct ipp_value *value; /* to push or scatter */
	const char *path;	       /* or the file that it is in, as for ipp_push_file() */
	bool detached;		       /* as in struct ipp_run */

	/* A target has answered; in the order of `targets`.  As in struct ipp_run. */
	int (*done)(void *owner, const struct ipp_result *result);
	void *owner;
};

/* Begin (gives *out); the value was copied when it returns.  A scatter may wait until the
 * controller has taken most of it: not from within next() or done(). */
int ipp_submit_errand(struct ipp_client *client, const struct ipp_errand *errand,
		      struct ipp_request **out, struct ipp_error *err);

/* Wait for an IPP_GATHER without done(), of which nothing was taken with ipp_next(), and join its
 * parts, as ipp_gather() does. */
int ipp_join(struct ipp_request *request, struct ipp_gathered *out, struct ipp_error *err);

/* Wait until all its tasks have ended; of a detached one, until all of it was sent.  Returns what
 * ipp_run() would, or, of an errand, -ENOENT or -EIO with the targets that could not, or -ETIMEDOUT
 * after `timeout_ms` (-1: never); after that and after -EINTR it still runs.  -EDEADLK: its
 * `window` is full, so that nothing can come. */
int ipp_wait(struct ipp_request *request, int timeout_ms, struct ipp_error *err);

/* Whether that would return at once. */
bool ipp_poll(struct ipp_request *request);

/* The next result of a request without done(), in input order unless `unordered`.  1: *out is one
 * (borrowed until the next call); 0: all were taken; or as ipp_wait(). */
int ipp_next(struct ipp_request *request, int timeout_ms, const struct ipp_result **out,
	     struct ipp_error *err);

/* No more of it, running tasks included; ipp_wait() returns -ECANCELED. */
void ipp_cancel(struct ipp_request *request);

/* End it, if it still runs, and call take() with each result that is here and was not given, also
 * where those before it are missing: after a time-out, a failure or the loss of the controller.
 * take() may neither wait, cancel nor free.  0; or -EIO or -ENOMEM where one cannot be read back.
 */
int ipp_take_rest(struct ipp_request *request,
		  void (*take)(void *owner, const struct ipp_result *result),
		  struct ipp_error *err);

/* NULL is fine.  One that still runs is cancelled, unless it is detached and was sent whole. */
void ipp_request_free(struct ipp_request *request);

/* What commands and other clients know it by. */
uint64_t ipp_request_id(const struct ipp_request *request);

/* ---- requests, of all clients ---- */

/* A call or a push that waits, runs, or has ended. */
struct ipp_request_info {
	uint64_t id;	   /* people write it CLIENT.NUMBER: its upper and lower half */
	const char *label; /* what its client called it; "" when it did not */
	/* "waiting", "running", "done", "failed", "cancelled", "drained" */
	const char *state;
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

/* ---- results that were left behind ---- */

struct ipp_fetch {
	/* A task ended; in input order unless `unordered`.  Returns 0, or anything else to stop.
	 * NULL: only wait for the end. */
	int (*done)(void *owner, const struct ipp_result *result);
	void *owner;
	bool unordered;
	bool heads;  /* arrays without their data, and no output */
	bool now;    /* what there is; do not wait for the rest */
	bool forget; /* its results are not needed any more once it has ended and all were given */
};

struct ipp_fetched {
	uint64_t done, failed;	 /* tasks so far */
	bool running;		 /* with `now`: it has not ended */
	bool first_failure_ends; /* as in its struct ipp_run */
	enum ipp_work work;
	char name[256];	  /* of the variable that it is about */
	size_t n_targets; /* 0: it is a map */
};

/* Results of a detached request, whosever it is; several may fetch it, and again.  Without done(),
 * the end of any request.  -ECANCELED: done() stopped it, there is no such request, its results
 * were not kept, or it ended without its remaining results: those that there are have been given;
 * -ETIME: likewise, as ipp_run() says.
 * With done(), of an errand that failed for some targets: -ENOENT or -EIO, which names them. */
int ipp_fetch(struct ipp_client *client, uint64_t id, const struct ipp_fetch *fetch,
	      struct ipp_fetched *out, struct ipp_error *err);

/* Of an IPP_GATHER that was left behind: wait for it and join its parts, as ipp_gather() and
 * ipp_gather_parts() do.  Its arrays come here one after the other. */
int ipp_fetch_gathered(struct ipp_client *client, uint64_t id, struct ipp_gathered *out,
		       struct ipp_error *err);
int ipp_fetch_parts(struct ipp_client *client, uint64_t id,
		    int (*begin)(void *owner, const struct ipp_value *whole),
		    int (*take)(void *owner, size_t place, const struct ipp_value *part),
		    void *owner, struct ipp_error *err);

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

#ifdef __cplusplus
}
#endif

#endif
