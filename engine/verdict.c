#include "engine/verdict.h"

#include <event2/buffer.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "engine/health.h"
#include "engine/oom.h"
#include "engine/stopwatch.h"
#include "engine/worker_process.h"
#include "proto/blob.h"
#include "proto/frame.h"
#include "proto/link.h"

static void keep_words(struct verdict *verdict, const struct worker_process *worker)
{
	struct evbuffer *out = evbuffer_new(), *err = evbuffer_new();

	if (out && err) {
		worker_last_words(worker, out, err);
		verdict->out_bytes = evbuffer_get_length(out);
		verdict->err_bytes = evbuffer_get_length(err);
		evbuffer_add_buffer(out, err);
		if (evbuffer_get_length(out) > 0)
			verdict->words = blob_copy(evbuffer_pullup(out, -1),
						   evbuffer_get_length(out));
	}
	if (!verdict->words)
		verdict->out_bytes = verdict->err_bytes = 0;
	if (out)
		evbuffer_free(out);
	if (err)
		evbuffer_free(err);
}

struct verdict *verdict_add(struct verdict **list, const struct progress *task,
			    const struct worker_process *worker)
{
	struct verdict *verdict = calloc(1, sizeof(*verdict));

	if (!verdict)
		return NULL;
	*verdict = (struct verdict){.next = *list,
				    .request = task->request,
				    .index = task->index,
				    .started_us = task->started_us};
	if (task->running)
		verdict->elapsed_us = (uint64_t)(stopwatch_clock_us() - task->start_us);
	keep_words(verdict, worker);
	*list = verdict;
	return verdict;
}

struct verdict *verdict_find(struct verdict *list, uint64_t request, uint64_t index)
{
	while (list && (list->request != request || list->index != index))
		list = list->next;
	return list;
}

uint64_t verdict_next(const struct verdict *list, uint64_t request, uint64_t from, uint64_t to)
{
	for (const struct verdict *at = list; at; at = at->next)
		if (at->request == request && at->index >= from && at->index < to)
			to = at->index;
	return to;
}

void verdict_drop(struct verdict **list, struct verdict *verdict)
{
	while (*list != verdict)
		list = &(*list)->next;
	*list = verdict->next;
	blob_unref(verdict->words);
	free(verdict);
}

void verdict_of_status(struct verdict *verdict, int status)
{
	if (WIFSIGNALED(status)) {
		verdict->outcome = IPP__OUTCOME__KILLED;
		verdict->code = WTERMSIG(status);
		snprintf(verdict->text, sizeof(verdict->text),
			 "its worker was killed by signal %d (%s)%s", verdict->code,
			 strsignal(verdict->code),
			 verdict->code == SIGKILL && oom_struck() ? OOM_TEXT : "");
	} else {
		verdict->outcome = IPP__OUTCOME__EXITED;
		verdict->code = WEXITSTATUS(status);
		snprintf(verdict->text, sizeof(verdict->text),
			 "it ended its worker with exit code %d", verdict->code);
	}
}

void verdict_send(const struct verdict *verdict, int32_t rank, struct link *link,
		  struct health *health)
{
	Ipp__Result result = IPP__RESULT__INIT;
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result *one = &result;

	result.index = verdict->index;
	result.engine = (uint32_t)rank;
	result.outcome = verdict->outcome;
	result.code = verdict->code;
	result.error = (char *)verdict->text;
	result.started_us = verdict->started_us;
	result.elapsed_us = verdict->elapsed_us;
	result.stdout_bytes = verdict->out_bytes;
	result.stderr_bytes = verdict->err_bytes;
	results.request = verdict->request;
	results.n_results = 1;
	results.results = &one;
	health_count(health, one);
	link_send(link, FRAME_RESULTS, &results.base, verdict->words);
}
