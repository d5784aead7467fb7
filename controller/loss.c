#include "controller/loss.h"

#include <stdio.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/engine.h"
#include "controller/errand.h"
#include "controller/request.h"
#include "controller/returning.h"
#include "controller/scheduler.h"
#include "controller/setup.h"
#include "controller/stranded.h"
#include "controller/survey.h"

/* Engines that may be lost with a task as the running one, before it is given up. */
#define LOSSES_MAX 3

/* The first task was running, or about to: it may be what killed the engine. */
static void blame_first(struct engine *engine, const char *why)
{
	struct slice *first = slices_take(&engine->in_flight, 1);
	struct request *request;

	if (!first)
		return;
	request = request_find(&engine->cluster->index, first->request);
	if (request->kind == REQUEST_MAP && ++first->losses > LOSSES_MAX) {
		answer_report_lost(request, first->from, engine->rank, why);
		slice_free(first);
		return;
	}
	slices_prepend(&engine->in_flight, first);
}

/* Tasks of maps go back to the front of their queue; those of direct views have nowhere to go. */
static void give_back(struct engine *engine, struct slices *slices, const char *why)
{
	struct slices backwards;
	struct slice *slice;

	slices_init(&backwards);
	while ((slice = slices_pop(slices)))
		slices_prepend(&backwards, slice);
	while ((slice = slices_pop(&backwards))) {
		struct request *request = request_find(&engine->cluster->index, slice->request);

		if (request && request->kind == REQUEST_MAP) {
			scheduler_joins(request);
			slices_prepend(&request->pending, slice);
			continue;
		}
		if (request) /* else it ended with an earlier one */
			answer_report_lost(request, slice->from, engine->rank, why);
		slice_free(slice);
	}
}

static void fail_pushes(struct engine *engine, const char *why)
{
	while (engine->unanswered.n > 0) {
		struct request *request = request_find(&engine->cluster->index,
						       engine->unanswered.at[0]);

		ids_remove(&engine->unanswered, engine->unanswered.at[0]);
		if (!request || request->kind == REQUEST_REMOVE) /* that was given back */
			continue;
		request_fail_target(request, engine->rank, why);
		request->n_done++;
		if (request_finished(request))
			answer_over(request, false);
	}
}

void engine_lose(struct engine *engine, const char *why)
{
	struct cluster *cluster = engine->cluster;
	struct slice *slice;
	char text[256];

	link_free(engine->link);
	engine->link = NULL;
	engine->losses++;
	engine->lost_us = engine_now_us();
	engine->opened.n = 0;
	engine->restored.n = 0;
	engine->in_flight_us = 0;
	engine->recalled = 0;
	cluster->n_live--;
	if (cluster->ending)
		return;
	for (const struct slice *at = engine->in_flight.first; at; at = at->next)
		errand_arrived(engine, at);
	snprintf(text, sizeof(text), "engine %u on %s was lost: %.120s", engine->rank, engine->host,
		 why);
	cluster_notice(cluster, "%s; its %llu tasks go elsewhere", text,
		       (unsigned long long)engine->in_flight.n_tasks);
	engine->passed = NULL;
	while ((slice = slices_pop(&engine->pinned)))
		slices_append(&engine->in_flight, slice);
	/* From now on what is for it waits: such as what comes after that which fails now. */
	returning_await(engine);
	blame_first(engine, text);
	give_back(engine, &engine->in_flight, text);
	fail_pushes(engine, text);
	while (engine->stopping.n > 0)
		engine_stopped(engine, engine->stopping.at[--engine->stopping.n]);
	survey_answer(engine, NULL);
	stranded_watch_all(cluster);
	cluster_count(cluster);
	cluster_wake(cluster);
}

static bool any_on(const struct cluster *cluster, const char *host)
{
	for (uint32_t rank = 0; rank < cluster->n_ranks; rank++) {
		const struct engine *engine = engine_find(cluster, rank);

		if (engine && strcmp(engine->host, host) == 0)
			return true;
	}
	return false;
}

void engine_lose_silent(struct engine *engine, const char *why)
{
	struct cluster *cluster = engine->cluster;
	const bool slurm = strcmp(cluster->setup->job, "local") != 0;

	engine_lose(engine, why);
	if (slurm && !cluster->ending && strcmp(engine->host, cluster->setup->host) != 0 &&
	    !any_on(cluster, engine->host))
		cluster_notice(cluster,
			       "nothing is heard of %s any more: if it is down, Slurm ends the job "
			       "soon, unless it was started with sbatch --no-kill, or srun "
			       "--no-kill",
			       engine->host);
}

void engine_give_up(struct engine *engine)
{
	char text[256];

	snprintf(text, sizeof(text), "engine %u on %s was lost and did not come back", engine->rank,
		 engine->host);
	give_back(engine, &engine->pinned, text);
}
