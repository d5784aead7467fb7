#include "engine/opened_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/runtime.h"
#include "engine/variables.h"
#include "proto/error.h"
#include "proto/link.h"
#include "proto/value.h"

static const struct runtime *const runtimes[] = {&native_runtime, &command_runtime, &script_runtime,
						 &shell_runtime};

struct opened_call *opened_call_find(struct opened_call *list, uint64_t request)
{
	while (list && list->call->request != request)
		list = list->next;
	return list;
}

static int open_call(struct opened_call *opened, struct ipp_error *err)
{
	size_t offset = opened->call->module_bytes;

	opened->tried = true;
	if (offset > (opened->payload ? opened->payload->bytes : 0))
		return ipp_fail(err, EPROTO, "its module did not arrive whole");
	opened->arguments = variables_new();
	if (!opened->arguments)
		return ipp_fail(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < opened->call->n_arguments; i++)
		if (!value_is_whole(opened->call->arguments[i]) ||
		    variables_set(opened->arguments, opened->call->arguments[i], opened->payload,
				  &offset) < 0)
			return ipp_fail(err, EPROTO, "its arguments did not arrive whole");
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (strcmp(runtimes[i]->name, opened->call->runtime) == 0) {
			const int rc = runtimes[i]->open(&opened->state, opened->call,
							 opened->arguments, opened->payload, err);

			if (rc == 0)
				opened->runtime = runtimes[i];
			return rc;
		}
	return ipp_fail(err, EINVAL, "this engine has no runtime '%s'", opened->call->runtime);
}

void opened_call_run(struct opened_call *opened, const struct task *task, struct outcome *outcome)
{
	struct ipp_error err;

	if (!opened->tried && open_call(opened, &err) < 0)
		snprintf(opened->error, sizeof(opened->error), "%s", err.text);
	if (opened->runtime)
		opened->runtime->run(opened->state, task, outcome);
	else
		outcome_fail(outcome, IPP__OUTCOME__ERROR, 1, "%s", opened->error);
}

bool opened_call_add(struct opened_call **list, const struct frame *frame)
{
	struct opened_call *opened = calloc(1, sizeof(*opened));

	if (!opened)
		return false;
	opened->call = ipp__call__unpack(NULL, frame->head_bytes, frame->head);
	if (!opened->call) {
		free(opened);
		return false;
	}
	opened->payload = blob_ref(frame->payload);
	opened->next = *list;
	*list = opened;
	return true;
}

void opened_call_close(struct opened_call **list, uint64_t request)
{
	struct opened_call *opened = opened_call_find(*list, request);

	if (!opened)
		return;
	while (*list != opened)
		list = &(*list)->next;
	*list = opened->next;
	if (opened->runtime)
		opened->runtime->close(opened->state);
	variables_free(opened->arguments);
	blob_unref(opened->payload);
	ipp__call__free_unpacked(opened->call, NULL);
	free(opened);
}
