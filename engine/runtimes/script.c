/* engine/runtimes/script.c - a script, or any program, whose bytes come with the call: nodes need
 * not see its file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/runtime.h"
#include "engine/runtimes/child.h"
#include "engine/variables.h"
#include "proto/error.h"
#include "proto/whole.h"

#ifndef MFD_EXEC /* Linux 6.3; vm.memfd_noexec makes it needed */
#define MFD_EXEC 0x10U
#endif

struct script {
	const Ipp__Call *call; /* function: its name; argv: name and arguments */
	int program;	       /* a memfd that nobody can write to any more */
	char **words;	       /* ends with NULL; the words are the call's */
	char interpreter[256]; /* what its #! line names; "": it has none */
};

/* A descriptor that exec takes: a file that somebody has open for writing is "busy".  Nothing of it
 * is left when we are killed.  -errno. */
static int memory_file(const struct ipp_value *bytes)
{
	int writable = memfd_create("slurm-ipp-script", MFD_CLOEXEC | MFD_EXEC);
	char path[32];
	int fd, rc;

	if (writable < 0 && errno == EINVAL)
		writable = memfd_create("slurm-ipp-script", MFD_CLOEXEC);
	if (writable < 0)
		return -errno;
	rc = whole_write(writable, bytes->data, bytes->bytes);
	if (rc == 0 && fchmod(writable, 0700) < 0)
		rc = -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", writable);
	fd = rc == 0 ? open(path, O_RDONLY | O_CLOEXEC) : rc;
	if (fd < 0 && rc == 0)
		fd = -errno;
	close(writable);
	return fd;
}

/* The first word behind #!, for the message when it is not there. */
static void find_interpreter(struct script *script, const struct ipp_value *bytes)
{
	char line[sizeof(script->interpreter)];
	const size_t n = bytes->bytes < sizeof(line) - 1 ? bytes->bytes : sizeof(line) - 1;

	memcpy(line, bytes->data, n);
	line[n] = '\0';
	if (sscanf(line, "#! %255s", script->interpreter) != 1 || strncmp(line, "#!", 2) != 0)
		script->interpreter[0] = '\0';
}

static void script_close(void *opened)
{
	struct script *script = opened;

	if (script->program >= 0)
		close(script->program);
	free(script->words);
	free(script);
}

static int script_open(void **opened, const Ipp__Call *call, const struct variables *arguments,
		       struct blob *payload, struct ipp_error *err)
{
	const struct ipp_value *bytes = variables_get(arguments, "script");
	struct script *script;

	(void)payload; /* `bytes` is in it */
	if (!bytes || bytes->kind != IPP_ARRAY || call->n_argv == 0)
		return ipp_fail(err, EINVAL, "there is no script to run");
	script = calloc(1, sizeof(*script));
	if (!script)
		return ipp_fail(err, ENOMEM, "out of memory");
	script->call = call;
	script->words = calloc(call->n_argv + 1, sizeof(*script->words));
	script->program = script->words ? memory_file(bytes) : -ENOMEM;
	if (script->program < 0) {
		const int failed = -script->program;

		script_close(script);
		return ipp_fail(err, failed, "cannot keep the script of %zu bytes in memory: %s",
				bytes->bytes, strerror(failed));
	}
	memcpy(script->words, call->argv, call->n_argv * sizeof(*script->words));
	find_interpreter(script, bytes);
	*opened = script;
	return 0;
}

static void script_run(void *opened, const struct task *task, struct outcome *outcome)
{
	const struct script *script = opened;
	const struct child child = {.task = task,
				    .words = script->words,
				    .directory = script->call->directory,
				    .program = script->program,
				    .timeout_ms = script->call->task_timeout_ms};
	int failed, status;

	task_environment(task);
	failed = child_run(&child, outcome, &status);

	if (failed == 0)
		child_judge(status, script->words[0], outcome);
	else if (failed == ENOENT && access(script->call->directory, X_OK) == 0)
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 127,
			     "cannot run %.150s: its #! line names %.150s, which is not on this "
			     "node",
			     script->words[0], script->interpreter);
	else
		child_refused(&child, failed, script->words[0], outcome);
}

const struct runtime script_runtime = {
	.name = "script",
	.open = script_open,
	.run = script_run,
	.close = script_close,
};
