/* engine/runtimes/command.c - commands: an argv, run without a shell; what it writes and its exit
 * code come back. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/runtime.h"
#include "engine/runtimes/child.h"
#include "proto/error.h"

struct command {
	const Ipp__Call *call;
	bool has_place; /* some word has a {} */
};

static int command_open(void **opened, const Ipp__Call *call, const struct variables *arguments,
			struct ipp_error *err)
{
	struct command *command;

	(void)arguments;
	if (call->n_argv == 0)
		return ipp_fail(err, EINVAL, "there is no command to run");
	command = calloc(1, sizeof(*command));
	if (!command)
		return ipp_fail(err, ENOMEM, "out of memory");
	command->call = call;
	for (size_t i = 0; i < call->n_argv; i++)
		if (strstr(call->argv[i], "{}"))
			command->has_place = true;
	*opened = command;
	return 0;
}

static void command_close(void *opened)
{
	free(opened);
}

/* ---- the words ---- */

/* `word` with each {} replaced by `item` (gives); NULL when out of memory. */
static char *fill_in(const char *word, const char *item)
{
	char *filled = NULL;
	size_t bytes;
	FILE *out = open_memstream(&filled, &bytes);
	const char *place;

	if (!out)
		return NULL;
	while ((place = strstr(word, "{}"))) {
		fwrite(word, 1, (size_t)(place - word), out);
		fputs(item, out);
		word = place + 2;
	}
	fputs(word, out);
	if (fclose(out) == 0)
		return filled;
	free(filled);
	return NULL;
}

static void words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* The argv for one task (gives): the item goes where {} stands, else behind. */
static char **words_new(const struct command *command, const struct ipp_value *item)
{
	const size_t n = command->call->n_argv;
	char **words = calloc(n + 2, sizeof(*words));
	char number[32];
	const char *text = item->text;
	bool complete = true;

	if (!words)
		return NULL;
	if (item->kind == IPP_INTEGER) {
		snprintf(number, sizeof(number), "%lld", (long long)item->integer);
		text = number;
	}
	for (size_t i = 0; complete && i < n; i++) {
		words[i] = item->kind == IPP_NONE ? strdup(command->call->argv[i])
						  : fill_in(command->call->argv[i], text);
		complete = words[i] != NULL;
	}
	if (complete && item->kind != IPP_NONE && !command->has_place) {
		words[n] = strdup(text);
		complete = words[n] != NULL;
	}
	if (complete)
		return words;
	words_free(words);
	return NULL;
}

static void command_run(void *opened, const struct task *task, struct outcome *outcome)
{
	struct command *command = opened;
	char **words = words_new(command, &task->item);
	const struct child child = {
		.words = words, .directory = command->call->directory, .program = -1};
	int failed, status;

	if (!words) {
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126, "out of memory for its words");
		return;
	}
	failed = child_run(&child, outcome, &status);
	if (failed == 0)
		child_judge(status, words[0], outcome);
	else
		child_refused(&child, failed, words[0], outcome);
	words_free(words);
}

const struct runtime command_runtime = {
	.name = "command",
	.open = command_open,
	.run = command_run,
	.close = command_close,
};
