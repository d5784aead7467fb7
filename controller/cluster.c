#include "controller/cluster.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/answer.h"
#include "controller/client.h"
#include "controller/curfew.h"
#include "controller/engine.h"
#include "controller/request.h"
#include "controller/returning.h"
#include "controller/scheduler.h"
#include "controller/setup.h"
#include "controller/stranded.h"
#include "proto/frame.h"

#define GOODBYE_MS 1000 /* to get goodbyes out to peers that may be gone */
#define GOODBYE_POLL_MS 5

/* ---- readiness ---- */

/* On the descriptor of whoever started us: one line, once. */
static void tell_starter(struct cluster *cluster, const char *prefix, const char *text)
{
	if (cluster->ready_fd < 0)
		return;
	dprintf(cluster->ready_fd, "%s%s\n", prefix, text);
	event_del(cluster->starter);
	close(cluster->ready_fd);
	cluster->ready_fd = -1;
}

/* Whoever started us hung up: it was killed, or gave up. */
static void starter_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	cluster_end(arg, "the process that started the cluster ended before it was ready");
}

static bool has_come(const struct cluster *cluster, uint32_t rank)
{
	for (size_t i = 0; i < cluster->n_standbys; i++)
		if (cluster->standbys[i].rank == (int32_t)rank)
			return true;
	return engine_find(cluster, rank) != NULL;
}

/* "rank 2 on n2, rank 3 on n2 and 4 more". */
static void name_missing(const struct cluster *cluster, char *text, size_t bytes)
{
	const struct setup *setup = cluster->setup;
	const unsigned named_max = 8;
	unsigned named = 0, missing = 0;
	int at = 0;

	text[0] = '\0';
	for (uint32_t rank = 0; rank < setup_expects(setup); rank++) {
		if (has_come(cluster, rank))
			continue;
		if (++missing > named_max)
			continue;
		at += snprintf(text + at, bytes - (size_t)at, "%srank %u%s%.40s", named ? ", " : "",
			       rank, rank < setup->n_ranks ? " on " : "",
			       rank < setup->n_ranks ? setup->ranks[rank].host : "");
		named++;
	}
	if (missing > named)
		snprintf(text + at, bytes - (size_t)at, " and %u more", missing - named);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct cluster *cluster = arg;
	const uint32_t expected = setup_expects(cluster->setup);
	char missing[700], text[1024];

	(void)fd;
	(void)what;
	name_missing(cluster, missing, sizeof(missing));
	snprintf(text, sizeof(text), "%zu of %u %s after %.3g s; missing %s; %s",
		 cluster->n_live + cluster->n_standbys, expected,
		 expected > cluster->setup->n_engines ? "tasks" : "engines",
		 cluster->setup->timeout_ms / 1000.0, missing,
		 cluster->setup->n_ranks > 0
			 ? "give them longer with --ipp-timeout, or see what their nodes say"
			 : "give them longer, or start fewer");
	tell_starter(cluster, "error: ", text);
	cluster_end(cluster, "not all engines came in time");
}

/* Whoever waits for an engine would wait for ever. */
static void deserted_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	cluster_end(arg, "it has lost all its engines; see what they said before they ended");
}

static void watch_desertion(struct cluster *cluster)
{
	const struct timeval patience = {.tv_sec = ENGINE_AWAITED_S};

	if (cluster->n_live == 0)
		event_add(cluster->deserted, &patience);
	else
		event_del(cluster->deserted);
}

void cluster_count(struct cluster *cluster)
{
	if (cluster->ready && !cluster->setup->by_hand)
		watch_desertion(cluster);
	if (cluster->ready || cluster->setup->n_engines == 0 ||
	    cluster->n_live + cluster->n_standbys < setup_expects(cluster->setup))
		return;
	cluster->ready = true;
	event_del(cluster->deadline);
	tell_starter(cluster, "", "ready");
}

void cluster_hopeless(struct cluster *cluster, const Ipp__Hello *hello)
{
	char text[600];

	snprintf(text, sizeof(text), "engine %d on %.60s can run nothing: %.300s", hello->rank,
		 hello->host, hello->trouble);
	cluster_notice(cluster, "%s", text);
	if (cluster->setup->by_hand)
		fprintf(stderr, "ipp-controller: %s\n", text);
	if (cluster->ready || cluster->setup->n_engines == 0)
		return;
	tell_starter(cluster, "error: ", text);
	cluster_end(cluster, "not all engines can work");
}

/* ---- peers ---- */

static void standby_closed(void *owner, struct link *link, const struct ipp_error *why)
{
	struct cluster *cluster = owner;

	(void)why;
	for (size_t i = 0; i < cluster->n_standbys; i++)
		if (cluster->standbys[i].link == link)
			cluster->standbys[i] = cluster->standbys[--cluster->n_standbys];
	link_free(link);
}

static void standby_frame(void *owner, struct link *link, const struct frame *frame)
{
	(void)frame;
	standby_closed(owner, link, NULL);
}

static const struct link_events standby_events = {
	.on_frame = standby_frame,
	.on_close = standby_closed,
};

static void standby_admit(struct cluster *cluster, struct link *link, int32_t rank)
{
	struct standby *room = realloc(cluster->standbys,
				       (cluster->n_standbys + 1) * sizeof(*room));
	Ipp__Welcome welcome = IPP__WELCOME__INIT;

	if (!room) {
		link_free(link);
		return;
	}
	cluster->standbys = room;
	cluster->standbys[cluster->n_standbys++] = (struct standby){link, rank};
	link_own(link, &standby_events, cluster);
	welcome.rank = rank;
	link_send(link, FRAME_WELCOME, &welcome.base, NULL);
	cluster_count(cluster);
}

static void say_goodbye(struct link *link, void *why)
{
	Ipp__Goodbye goodbye = IPP__GOODBYE__INIT;

	goodbye.why = why;
	link_send(link, FRAME_GOODBYE, &goodbye.base, NULL);
	link_flush(link);
}

void cluster_admit(struct cluster *cluster, struct link *link, const Ipp__Hello *hello)
{
	if (cluster->ending) {
		say_goodbye(link, (void *)"the cluster is ending");
		link_finish(link);
	} else if (hello->role == IPP__ROLE__ENGINE) {
		engine_admit(cluster, link, hello);
	} else if (hello->role == IPP__ROLE__STANDBY) {
		standby_admit(cluster, link, hello->rank);
	} else {
		client_admit(cluster, link);
	}
}

void cluster_notice(struct cluster *cluster, const char *fmt, ...)
{
	Ipp__Notice notice = IPP__NOTICE__INIT;
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	notice.text = text;
	for (struct client *client = cluster->clients; client; client = client->next)
		link_send(client->link, FRAME_NOTICE, &notice.base, NULL);
}

/* ---- the turn of the loop, and the end ---- */

static void schedule_cb(evutil_socket_t fd, short what, void *arg)
{
	struct cluster *cluster = arg;

	(void)fd;
	(void)what;
	if (!cluster->ending)
		scheduler_run(cluster);
}

void cluster_wake(struct cluster *cluster)
{
	event_active(cluster->schedule, 0, 0);
}

typedef void link_visit_fn(struct link *link, void *arg);

static void each_link(struct cluster *cluster, link_visit_fn *visit, void *arg)
{
	for (size_t rank = 0; rank < cluster->n_ranks; rank++)
		if (engine_find(cluster, (uint32_t)rank))
			visit(cluster->engines[rank]->link, arg);
	for (size_t i = 0; i < cluster->n_standbys; i++)
		visit(cluster->standbys[i].link, arg);
	for (struct client *client = cluster->clients; client; client = client->next)
		visit(client->link, arg);
}

static void add_backlog(struct link *link, void *total)
{
	*(size_t *)total += link_backlog(link);
}

static void last_words_cb(evutil_socket_t fd, short what, void *arg)
{
	struct cluster *cluster = arg;
	size_t backlog = 0;

	(void)fd;
	(void)what;
	each_link(cluster, add_backlog, &backlog);
	if (backlog == 0)
		event_base_loopbreak(cluster->base);
}

void cluster_end(struct cluster *cluster, const char *why)
{
	const struct timeval poll = {.tv_usec = GOODBYE_POLL_MS * 1000};
	const struct timeval limit = {GOODBYE_MS / 1000, GOODBYE_MS % 1000 * 1000};

	if (cluster->ending)
		return;
	cluster->ending = true;
	setup_withdraw(cluster->setup);
	tell_starter(cluster, "error: slurm-ipp: the controller ended before it was ready: ", why);
	each_link(cluster, say_goodbye, (void *)why);
	event_add(cluster->last_words, &poll);
	event_base_loopexit(cluster->base, &limit);
}

int cluster_init(struct cluster *cluster, struct event_base *base, const struct setup *setup)
{
	const struct timeval timeout = {setup->timeout_ms / 1000, setup->timeout_ms % 1000 * 1000};

	*cluster = (struct cluster){
		.base = base, .setup = setup, .ready_fd = setup->ready_fd, .items = {.fd = -1}};
	history_init(&cluster->history);
	cluster->schedule = event_new(base, -1, 0, schedule_cb, cluster);
	cluster->deadline = event_new(base, -1, 0, deadline_cb, cluster);
	cluster->deserted = event_new(base, -1, 0, deserted_cb, cluster);
	cluster->stranded = stranded_new(cluster);
	cluster->returning = returning_new(cluster);
	cluster->curfew = curfew_new(cluster);
	cluster->last_words = event_new(base, -1, EV_PERSIST, last_words_cb, cluster);
	cluster->starter = event_new(base, setup->ready_fd, EV_READ, starter_cb, cluster);
	if (!cluster->starter || (setup->ready_fd >= 0 && event_add(cluster->starter, NULL) < 0) ||
	    !cluster->schedule || !cluster->deadline || !cluster->deserted || !cluster->stranded ||
	    !cluster->returning || !cluster->curfew || !cluster->last_words ||
	    (setup->n_engines > 0 && setup->timeout_ms > 0 &&
	     event_add(cluster->deadline, &timeout) < 0)) {
		cluster_fini(cluster);
		return -ENOMEM;
	}
	return 0;
}

void cluster_fini(struct cluster *cluster)
{
	while (cluster->clients)
		client_free(cluster->clients);
	while (cluster->requests) /* detached ones, whose clients have left */
		answer_over(cluster->requests, true);
	for (size_t rank = 0; rank < cluster->n_ranks; rank++)
		engine_free(cluster->engines[rank]);
	for (size_t i = 0; i < cluster->n_standbys; i++)
		link_free(cluster->standbys[i].link);
	history_fini(&cluster->history);
	if (cluster->items.fd >= 0)
		close(cluster->items.fd);
	free(cluster->engines);
	free(cluster->line.at);
	free(cluster->standbys);
	if (cluster->schedule)
		event_free(cluster->schedule);
	if (cluster->deadline)
		event_free(cluster->deadline);
	if (cluster->deserted)
		event_free(cluster->deserted);
	if (cluster->stranded)
		event_free(cluster->stranded);
	if (cluster->returning)
		event_free(cluster->returning);
	curfew_free(cluster->curfew);
	if (cluster->last_words)
		event_free(cluster->last_words);
	if (cluster->starter)
		event_free(cluster->starter);
}
