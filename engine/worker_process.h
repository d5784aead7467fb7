/* engine/worker_process.h - the child in which user code runs, as its engine sees it.
 *
 * Thread: loop thread only. */
#ifndef IPP_ENGINE_WORKER_PROCESS_H
#define IPP_ENGINE_WORKER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/progress.h"
#include "proto/link.h"

struct evbuffer;
struct event_base;
struct ipp_error;
struct worker_process;

struct worker_events {
	void (*on_frame)(void *owner, const struct frame *frame);
	/* It died; `status` is waitpid()'s.  Its descendants are dead too; it is still to be freed.
	 */
	void (*on_death)(void *owner, int status);
};

/* Start one (gives); NULL and the reason.  A `careful` one is slower: it sends each result at once,
 * so that it is known which of its tasks closed its descriptors or wrote over results. */
struct worker_process *worker_start(struct event_base *base, uint32_t rank, bool careful,
				    const struct worker_events *events, void *owner,
				    struct ipp_error *err);
void worker_free(struct worker_process *worker); /* kills it and what it left; NULL is fine */

void worker_kill(struct worker_process *worker); /* on_death follows */
struct link *worker_link(const struct worker_process *worker);

/* It shall begin no task, until it is told otherwise: not even those that it has been sent. */
void worker_hold(struct worker_process *worker, bool held);

pid_t worker_pid(const struct worker_process *worker); /* 0 once it is dead */

/* What it is doing, a hint while it lives; what it was doing when it died. */
struct progress worker_progress(const struct worker_process *worker);

/* It has closed its end of the link, and lived: it died of that.  Only of a careful one is it known
 * for which task. */
bool worker_was_severed(const struct worker_process *worker);
bool worker_is_careful(const struct worker_process *worker);

/* Whether a signal has stopped it. */
bool worker_is_stopped(const struct worker_process *worker);

/* Results that wait in it for company, if any, come by on_frame at once.  Not those of one that was
 * severed: they may be of the task that did it. */
void worker_take_waiting(struct worker_process *worker);

/* Once it is dead: add the end of what it, its command or its shell's line wrote to stdout and
 * stderr since its last result to `out` and `err`, WORDS_BYTES of each at most. */
#define WORDS_BYTES ((size_t)64 << 10)
void worker_last_words(const struct worker_process *worker, struct evbuffer *out,
		       struct evbuffer *err);

/* The same for certain; false when it cannot be said just now. */
bool worker_running(const struct worker_process *worker, struct progress *out);

#endif
