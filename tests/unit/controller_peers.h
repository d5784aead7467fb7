/* tests/unit/controller_peers.h - for tests of the controller: one in this process, at its real
 * sockets, and the engines and clients that come to it. */
#ifndef IPP_TESTS_CONTROLLER_PEERS_H
#define IPP_TESTS_CONTROLLER_PEERS_H

#include <errno.h>
#include <stdio.h>

#include "controller/cluster.h"
#include "controller/door.h"
#include "controller/engine.h"
#include "controller/setup.h"
#include "proto/connection.h"
#include "proto/unix_socket.h"
#include "tests/unit/wire.h"

static struct event_base *base;
static struct setup controller;
static struct cluster cluster;
static struct door *door;
static char name[CONNECTION_NAME_BYTES];
static struct peer *peers[16]; /* all that joined */
static size_t n_peers;
static int ready;
static struct ipp_error err;

static inline void open_cluster(unsigned n_engines, int timeout_ms)
{
	static struct setup_rank ranks[] = {
		{.host = (char *)"n0"}, {.host = (char *)"n1"}, {.host = (char *)"n2"}};
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	ready = ends[0];
	connection_name(name, "7");
	controller = (struct setup){.job = (char *)"7",
				    .host = (char *)"head",
				    .n_engines = n_engines,
				    .timeout_ms = timeout_ms,
				    .unix_fd = unix_listen(name, &err),
				    .owner_fd = -1,
				    .ready_fd = ends[1],
				    .ranks = ranks,
				    .n_ranks = n_engines > 0 ? 3 : 0};
	base = event_base_new();
	assert_int_equal(cluster_init(&cluster, base, &controller), 0);
	door = door_open(&cluster, &err);
	assert_non_null(door);
}

static inline int setup(void **state)
{
	(void)state;
	open_cluster(0, 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	while (n_peers > 0)
		peer_free(peers[--n_peers]);
	door_close(door);
	cluster_fini(&cluster);
	if (cluster.ready_fd >= 0)
		close(cluster.ready_fd);
	event_base_free(base);
	close(ready);
	return 0;
}

/* ---- peers ---- */

static inline struct peer *connected(void)
{
	struct peer *peer = peer_unix(base, unix_connect(name, &err));

	peers[n_peers++] = peer;
	return peer;
}

static inline void greets(struct peer *peer, Ipp__Role role, int rank, const char *job)
{
	Ipp__Hello hello = IPP__HELLO__INIT;

	hello.role = role;
	hello.rank = rank;
	hello.host = (char *)"n9";
	hello.pid = 4242;
	hello.job = (char *)job;
	link_send(peer->link, FRAME_HELLO, &hello.base, NULL);
}

static inline struct peer *greeted(Ipp__Role role, int rank, const char *job)
{
	struct peer *peer = connected();

	greets(peer, role, rank, job);
	turn_until(base, peer->n > 0 || peer->closed);
	return peer;
}

static inline struct peer *engine_joins(int rank)
{
	struct peer *peer = greeted(IPP__ROLE__ENGINE, rank, "7");

	assert_int_equal(peer->frames[0].type, FRAME_WELCOME);
	return peer;
}

static inline struct peer *client_joins(uint64_t *first_request)
{
	struct peer *peer = greeted(IPP__ROLE__CLIENT, -1, "7");
	Ipp__Welcome *welcome = peer_message(peer, 0, &ipp__welcome__descriptor);

	assert_int_equal(peer->frames[0].type, FRAME_WELCOME);
	*first_request = (uint64_t)welcome->client << 32 | 1;
	ipp__welcome__free_unpacked(welcome, NULL);
	return peer;
}

static inline void leaves(struct peer *peer)
{
	link_free(peer->link);
	peer->link = NULL;
	turn_a_while(base);
}

/* The frame of that type that came last, or fail. */
static inline size_t latest(const struct peer *peer, uint16_t type)
{
	for (size_t i = peer->n; i-- > 0;)
		if (peer->frames[i].type == type)
			return i;
	fail_msg("no %s frame came", frame_name(type));
	return 0;
}

static inline size_t count(const struct peer *peer, uint16_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < peer->n; i++)
		n += peer->frames[i].type == type;
	return n;
}

static inline void assert_refused(struct peer *peer, const char *why)
{
	Ipp__Refuse *refusal;

	turn_until(base, peer->closed);
	refusal = peer_message(peer, latest(peer, FRAME_REFUSE), &ipp__refuse__descriptor);
	if (!strstr(refusal->why, why))
		fail_msg("'%s' lacks '%s'", refusal->why, why);
	ipp__refuse__free_unpacked(refusal, NULL);
}

static inline void assert_noticed(struct peer *client, const char *text)
{
	Ipp__Notice *notice = peer_message(client, latest(client, FRAME_NOTICE),
					   &ipp__notice__descriptor);

	if (!strstr(notice->text, text))
		fail_msg("'%s' lacks '%s'", notice->text, text);
	ipp__notice__free_unpacked(notice, NULL);
}

/* ---- what clients say ---- */

/* The items of a map from `first` on, which are their own indices. */
static inline void send_items(struct peer *client, uint64_t request, uint64_t first, uint64_t n)
{
	Ipp__Tasks tasks = IPP__TASKS__INIT;

	tasks.request = request;
	tasks.first = first;
	tasks.count = n;
	tasks.range = true;
	tasks.start = (int64_t)first;
	tasks.step = 1;
	link_send(client->link, FRAME_TASKS, &tasks.base, NULL);
}

/* A whole map of `n` items. */
static inline void call_map(struct peer *client, Ipp__Call *call, uint64_t n)
{
	Ipp__End end = IPP__END__INIT;

	link_send(client->link, FRAME_CALL, &call->base, NULL);
	if (n > 0)
		send_items(client, call->request, 0, n);
	end.request = call->request;
	end.total = n;
	link_send(client->link, FRAME_END, &end.base, NULL);
}

static inline void map(struct peer *client, uint64_t request, uint64_t n)
{
	Ipp__Call call = IPP__CALL__INIT;

	call.request = request;
	call_map(client, &call, n);
}

static inline void apply(struct peer *client, uint64_t request, uint32_t *ranks, size_t n)
{
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__Call call = IPP__CALL__INIT;

	targets.ranks = ranks;
	targets.n_ranks = n;
	call.request = request;
	call.targets = &targets;
	link_send(client->link, FRAME_CALL, &call.base, NULL);
}

static inline void push(struct peer *client, uint64_t request, uint32_t *ranks, size_t n,
			const char *variable, int64_t integer)
{
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__Value value = IPP__VALUE__INIT;
	Ipp__Push message = IPP__PUSH__INIT;

	targets.ranks = ranks;
	targets.n_ranks = n;
	value.name = (char *)variable;
	value.kind_case = IPP__VALUE__KIND_INTEGER;
	value.integer = integer;
	message.request = request;
	message.targets = &targets;
	message.value = &value;
	link_send(client->link, FRAME_PUSH, &message.base, NULL);
}

static inline void cancel(struct peer *client, uint64_t request)
{
	Ipp__Cancel message = IPP__CANCEL__INIT;

	message.request = request;
	link_send(client->link, FRAME_CANCEL, &message.base, NULL);
}

/* ---- what engines say ---- */

/* What an engine says of how long its tasks took is believed as far as it had any for so long. */
static inline void have_had_tasks_for(uint64_t us)
{
	for (size_t rank = 0; rank < cluster.n_ranks; rank++)
		if (cluster.engines[rank])
			cluster.engines[rank]->reckoned_us -= (int64_t)us;
}

static inline void answer(struct peer *engine, uint64_t request, const uint64_t *indices, size_t n,
			  uint64_t elapsed_us)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result *each = calloc(n, sizeof(*each)), **pointers = calloc(n, sizeof(*pointers));

	for (size_t i = 0; i < n; i++) {
		ipp__result__init(&each[i]);
		each[i].index = indices[i];
		each[i].elapsed_us = elapsed_us;
		pointers[i] = &each[i];
	}
	results.request = request;
	results.n_results = n;
	results.results = pointers;
	have_had_tasks_for(n * elapsed_us);
	link_send(engine->link, FRAME_RESULTS, &results.base, NULL);
	free(each);
	free(pointers);
}

/* `result` alone, and what it has of a payload (borrows both). */
static inline void answer_with(struct peer *engine, uint64_t request, Ipp__Result *result,
			       struct blob *payload)
{
	Ipp__Results results = IPP__RESULTS__INIT;

	results.request = request;
	results.n_results = 1;
	results.results = &result;
	link_send(engine->link, FRAME_RESULTS, &results.base, payload);
}

static inline void answer_failure(struct peer *engine, uint64_t request, uint64_t index)
{
	Ipp__Result result = IPP__RESULT__INIT;

	result.index = index;
	result.outcome = IPP__OUTCOME__EXITED;
	result.code = 1;
	result.error = (char *)"it exited with 1";
	answer_with(engine, request, &result, NULL);
}

static inline void answer_one(struct peer *engine, uint64_t request, uint64_t index,
			      uint64_t elapsed_us)
{
	answer(engine, request, &index, 1, elapsed_us);
}

/* To a push, or a cancel. */
static inline void answer_done(struct peer *engine, uint64_t request)
{
	Ipp__Done done = IPP__DONE__INIT;

	done.request = request;
	link_send(engine->link, FRAME_DONE, &done.base, NULL);
}

/* The tasks of the nth TASKS frame, once it has come. */
static inline void given(struct peer *engine, size_t nth, uint64_t *first, uint64_t *n)
{
	Ipp__Tasks *tasks;
	size_t at = 0;

	turn_until(base, count(engine, FRAME_TASKS) >= nth);
	while (engine->frames[at].type != FRAME_TASKS || --nth > 0)
		at++;
	tasks = peer_message(engine, at, &ipp__tasks__descriptor);
	*first = tasks->first;
	*n = tasks->count;
	ipp__tasks__free_unpacked(tasks, NULL);
}

static inline void assert_given(struct peer *engine, size_t nth, uint64_t first)
{
	uint64_t got, n;

	given(engine, nth, &got, &n);
	assert_int_equal(got, first);
}

/* Answer whatever `engine` is given until `n` tasks are done. */
static inline void work_until(struct peer *engine, struct peer *client, uint64_t request, size_t n)
{
	size_t answered = 0;

	for (size_t at = 0; answered < n;) {
		turn_until(base, at < engine->n);
		if (engine->frames[at].type == FRAME_TASKS) {
			Ipp__Tasks *tasks = peer_message(engine, at, &ipp__tasks__descriptor);

			for (uint64_t i = 0; i < tasks->count; i++)
				answer_one(engine, request, tasks->first + i, 100000);
			answered += tasks->count;
			ipp__tasks__free_unpacked(tasks, NULL);
		}
		at++;
	}
	turn_until(base, client->n > 0);
	turn_a_while(base);
}

/* How often the client was given each of `n` results. */
static inline void count_results(const struct peer *client, unsigned *times, size_t n)
{
	memset(times, 0, n * sizeof(*times));
	for (size_t i = 0; i < client->n; i++) {
		Ipp__Results *results;

		if (client->frames[i].type != FRAME_RESULTS)
			continue;
		results = peer_message(client, i, &ipp__results__descriptor);
		for (size_t r = 0; r < results->n_results; r++) {
			assert_in_range(results->results[r]->index, 0, n - 1);
			times[results->results[r]->index]++;
		}
		ipp__results__free_unpacked(results, NULL);
	}
}

static inline void assert_each_once(const struct peer *client, size_t n)
{
	unsigned times[64];

	count_results(client, times, n);
	for (size_t i = 0; i < n; i++)
		if (times[i] != 1)
			fail_msg("result %zu came %u times", i, times[i]);
}

/* The last of its `nth` RESULTS, once they have come (gives). */
static inline Ipp__Results *results_of(struct peer *client, size_t nth)
{
	turn_until(base, count(client, FRAME_RESULTS) == nth);
	return peer_message(client, latest(client, FRAME_RESULTS), &ipp__results__descriptor);
}

/* The client's latest RESULTS is one task that was lost. */
static inline void assert_lost(struct peer *client, uint64_t index, const char *why)
{
	Ipp__Results *results = peer_message(client, latest(client, FRAME_RESULTS),
					     &ipp__results__descriptor);

	assert_int_equal(results->n_results, 1);
	assert_int_equal(results->results[0]->index, index);
	assert_int_equal(results->results[0]->outcome, IPP__OUTCOME__LOST);
	if (!strstr(results->results[0]->error, why))
		fail_msg("'%s' lacks '%s'", results->results[0]->error, why);
	ipp__results__free_unpacked(results, NULL);
}

/* ---- requests ---- */

static inline void assert_ended(struct peer *client, size_t nth, uint64_t request, const char *why)
{
	Ipp__Ended *ended;

	turn_until(base, count(client, FRAME_ENDED) == nth);
	ended = peer_message(client, latest(client, FRAME_ENDED), &ipp__ended__descriptor);
	assert_int_equal(ended->request, request);
	if (!strstr(ended->why, why))
		fail_msg("'%s' lacks '%s'", ended->why, why);
	ipp__ended__free_unpacked(ended, NULL);
}

/* The list, as the client sees it now (gives). */
static inline Ipp__Requests *listed(struct peer *client)
{
	const size_t before = count(client, FRAME_REQUESTS);

	link_send(client->link, FRAME_REQUESTS, NULL, NULL);
	turn_until(base, count(client, FRAME_REQUESTS) == before + 1);
	return peer_message(client, latest(client, FRAME_REQUESTS), &ipp__requests__descriptor);
}

static inline void assert_state(struct peer *client, uint64_t request, const char *state,
				uint64_t done)
{
	Ipp__Requests *list = listed(client);
	size_t i = 0;

	while (i < list->n_requests && list->requests[i]->id != request)
		i++;
	assert_true(i < list->n_requests);
	assert_string_equal(list->requests[i]->state, state);
	assert_int_equal(list->requests[i]->done, done);
	ipp__requests__free_unpacked(list, NULL);
}

#endif
