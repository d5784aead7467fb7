/* engine/runtimes/command.c - commands: an argv, run without a shell; what it writes and its exit
 * code come back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/runtime.h"
#include "engine/runtimes/child.h"
#include "proto/error.h"
#include "proto/template.h"

static int command_open(void **opened, const Ipp__Call *call, const struct variables *arguments,
			struct blob *payload, struct ipp_error *err)
{
	(void)arguments;
	(void)payload;
	if (call->n_argv == 0)
		return ipp_fail(err, EINVAL, "there is no command to run");
	*opened = (void *)call;
	return 0;
}

static void command_close(void *opened)
{
	(void)opened;
}

/* The argv for one task (gives; template_free()); a direct view's has no item, and braces stay. */
static int words_new(const Ipp__Call *call, const struct task *task, char ***out,
		     struct ipp_error *err)
{
	struct template_task filled = {.item = task->item.text,
				       .item_bytes = task->item.bytes,
				       .n_values = call->values ? call->values : 1,
				       .index = task->index,
				       .engine = task->engine};
	char number[32];

	if (task->item.kind == IPP_NONE)
		return template_copy(out, call->argv, call->n_argv, err);
	if (task->item.kind == IPP_INTEGER) {
		filled.item = number;
		filled.item_bytes = (size_t)snprintf(number, sizeof(number), "%lld",
						     (long long)task->item.integer);
	}
	return template_fill(out, call->argv, call->n_argv, &filled, err);
}

static void command_run(void *opened, const struct task *task, struct outcome *outcome)
{
	const Ipp__Call *call = opened;
	struct child child = {.task = task,
			      .directory = call->directory,
			      .program = -1,
			      .timeout_ms = call->task_timeout_ms};
	struct ipp_error err;
	char **words = NULL;
	int failed, status;

	if (words_new(call, task, &words, &err) < 0) {
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126, "%s", err.text);
		return;
	}
	task_environment(task);
	child.words = words;
	failed = child_run(&child, outcome, &status);
	if (failed == 0)
		child_judge(status, words[0], outcome);
	else
		child_refused(&child, failed, words[0], outcome);
	template_free(words);
}

const struct runtime command_runtime = {
	.name = "command",
	.open = command_open,
	.run = command_run,
	.close = command_close,
};
