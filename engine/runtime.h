/* engine/runtime.h - how a function is found and run: one file in runtimes/ for each way.
 *
 * Thread: the worker's only one. */
#ifndef IPP_ENGINE_RUNTIME_H
#define IPP_ENGINE_RUNTIME_H

#include "engine/task.h"

struct ipp_error;
struct variables;

struct runtime {
	const char *name; /* what Call.runtime says */

	/* Make a call ready: every task of it then runs with what this gives in *state.
	 *   call       borrowed until close()      arguments  the call's, likewise
	 *   payload    likewise; begins with call->module_bytes of a module; may be NULL
	 * 0 or -errno: then every task of the call fails with that sentence. */
	int (*open)(void **state, const Ipp__Call *call, const struct variables *arguments,
		    struct blob *payload, struct ipp_error *err);

	/* Run one task; whatever happens is in *outcome (reset before). */
	void (*run)(void *state, const struct task *task, struct outcome *outcome);

	void (*close)(void *state);
};

extern const struct runtime native_runtime;
extern const struct runtime command_runtime;
extern const struct runtime script_runtime;
extern const struct runtime shell_runtime;

#endif
