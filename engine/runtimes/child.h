/* engine/runtimes/child.h - a process that a task runs: what it writes and how it ends.
 *
 * Thread: the worker's only one, one child at a time. */
#ifndef IPP_ENGINE_RUNTIMES_CHILD_H
#define IPP_ENGINE_RUNTIMES_CHILD_H

#include "engine/stopwatch.h"
#include "engine/task.h"

struct child {
	const struct task *task;
	char *const *words;    /* its argv; ends with NULL */
	const char *directory; /* where to run it; "": the worker's */
	int program;	       /* a file to run, or -1: words[0], looked for in PATH.  A script
				* sees it as /proc/self/fd/N */
	uint32_t timeout_ms;   /* it is killed then; 0: never */
};

/* What it may write to stdout, and to stderr. */
#define CHILD_OUTPUT_BYTES ((size_t)256 << 20)

/* Run it to its end, with /dev/null as stdin; its stdout and stderr, all there is of them, are in
 * the outcome then.  What outlives it is killed: a task is over when its command is.  0 and
 * waitpid()'s status; ETIME, it was killed after timeout_ms; EFBIG, for writing more than it may;
 * or the errno of what could not be done. */
int child_run(const struct child *child, struct outcome *outcome, int *status);

/* Whether what runs since `watch` was started is to be killed, as child_run() returns it, or 0. */
int child_excess(struct stopwatch *watch, uint32_t timeout_ms, const struct outcome *outcome);

/* Note that in the outcome; `end` ends the sentence. */
void child_exceeds(int excess, uint32_t timeout_ms, const char *name, const char *end,
		   struct outcome *outcome);

/* Note in the outcome how it ended; `name` is what messages call it. */
void child_judge(int status, const char *name, struct outcome *outcome);

/* Note why it could not be run, or not to its end, which child_run() returned. */
void child_refused(const struct child *child, int failed, const char *name,
		   struct outcome *outcome);

#endif
