#include "controller/survey.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "controller/client.h"
#include "controller/engine.h"
#include "controller/request.h"
#include "proto/error.h"
#include "proto/frame.h"

#define PATIENCE_S 1 /* for engines to answer */

struct survey {
	struct survey *next;
	struct client *client;
	struct event *deadline;
	struct ranks awaited;
	size_t n_awaited;
};

static void unlink_and_free(struct survey *survey)
{
	struct survey **at = &survey->client->cluster->surveys;

	while (*at != survey)
		at = &(*at)->next;
	*at = survey->next;
	if (survey->deadline)
		event_free(survey->deadline);
	ranks_fini(&survey->awaited);
	free(survey);
}

/* Of tasks the controller knows best, for its counts outlive the engine's process. */
static void describe(const struct engine *engine, bool silent, Ipp__Health *out)
{
	ipp__health__init(out);
	out->rank = engine->rank;
	out->host = engine->host;
	out->pid = engine->pid;
	out->done = engine->n_done;
	out->failed = engine->n_failed;
	out->queued = engine->in_flight.n_tasks + engine->pinned.n_tasks;
	out->losses = engine->losses;
	out->state = (char *)"lost";
	if (!engine->link)
		return;
	out->state = (char *)(silent ? "silent" : engine->health.busy ? "busy" : "idle");
	out->up_us = (uint64_t)(engine_now_us() - engine->joined_us);
	out->busy_us = engine->health.busy_us;
	out->memory_bytes = engine->health.memory_bytes;
}

static uint64_t count_pending(const struct cluster *cluster)
{
	uint64_t n = 0;

	for (const struct request *at = cluster->requests; at; at = at->next)
		n += at->pending.n_tasks;
	return n;
}

static void conclude(struct survey *survey)
{
	const struct cluster *cluster = survey->client->cluster;
	Ipp__Health *each = calloc(cluster->n_ranks + 1, sizeof(*each));
	Ipp__Health **pointers = calloc(cluster->n_ranks + 1, sizeof(*pointers));
	Ipp__Status status = IPP__STATUS__INIT;

	for (size_t rank = 0; each && pointers && rank < cluster->n_ranks; rank++) {
		const struct engine *engine = cluster->engines[rank];

		if (!engine)
			continue;
		describe(engine, ranks_have(&survey->awaited, (uint32_t)rank), &each[rank]);
		pointers[status.n_engines++] = &each[rank];
	}
	status.engines = pointers;
	status.pending = count_pending(cluster);
	for (const struct client *client = cluster->clients; client; client = client->next)
		status.clients++;
	link_send(survey->client->link, FRAME_STATUS, &status.base, NULL);
	free(each);
	free(pointers);
	unlink_and_free(survey);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conclude(arg);
}

int survey_start(struct client *client, struct ipp_error *err)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct cluster *cluster = client->cluster;
	struct survey *survey = calloc(1, sizeof(*survey));

	if (!survey)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	*survey = (struct survey){.next = cluster->surveys, .client = client};
	cluster->surveys = survey;
	survey->deadline = event_new(cluster->base, -1, 0, deadline_cb, survey);
	if (!survey->deadline || event_add(survey->deadline, &patience) < 0) {
		unlink_and_free(survey);
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	}
	for (uint32_t rank = 0; rank < cluster->n_ranks; rank++) {
		const struct engine *engine = engine_find(cluster, rank);

		if (!engine || ranks_add(&survey->awaited, rank) < 0)
			continue;
		survey->n_awaited++;
		link_send(engine->link, FRAME_PROBE, NULL, NULL);
	}
	if (survey->n_awaited == 0)
		conclude(survey);
	return 0;
}

void survey_answer(struct engine *engine, const Ipp__Health *health)
{
	struct survey *survey = engine->cluster->surveys;

	if (health) {
		engine->health.busy = strcmp(health->state, "busy") == 0;
		engine->health.busy_us = health->busy_us;
		engine->health.memory_bytes = health->memory_bytes;
	}
	while (survey) {
		struct survey *next = survey->next;

		if (ranks_remove(&survey->awaited, engine->rank) && --survey->n_awaited == 0)
			conclude(survey);
		survey = next;
	}
}

void survey_drop(struct client *client)
{
	struct survey *survey = client->cluster->surveys;

	while (survey) {
		struct survey *next = survey->next;

		if (survey->client == client)
			unlink_and_free(survey);
		survey = next;
	}
}
