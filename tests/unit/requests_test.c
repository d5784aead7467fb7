/* Requests as others see them: lists, cancelling, detached ones and their results, and how the
 * engines are. */
#include <sys/time.h>

#include "controller/history.h"
#include "controller/kept_results.h"
#include "controller/request.h"
#include "tests/unit/controller_peers.h"

/* ---- what clients say ---- */

static void detached_map(struct peer *client, uint64_t request, uint64_t n)
{
	Ipp__Call call = IPP__CALL__INIT;

	call.request = request;
	call.detached = true;
	call.label = (char *)"a label";
	call_map(client, &call, n);
}

static void empty_map(struct peer *client, uint64_t request)
{
	Ipp__Call call = IPP__CALL__INIT;

	call.request = request;
	call_map(client, &call, 0);
}

static void fetch(struct peer *client, uint64_t request, bool results, bool now, bool forget)
{
	Ipp__Fetch message = IPP__FETCH__INIT;

	message.request = request;
	message.results = results;
	message.now = now;
	message.forget = forget;
	link_send(client->link, FRAME_FETCH, &message.base, NULL);
}

static Ipp__Finished *nth_finished(struct peer *client, size_t nth)
{
	turn_until(base, count(client, FRAME_FINISHED) == nth);
	return peer_message(client, latest(client, FRAME_FINISHED), &ipp__finished__descriptor);
}

static void assert_finished(struct peer *client, size_t nth, uint64_t done, bool running,
			    const char *why)
{
	Ipp__Finished *finished = nth_finished(client, nth);

	assert_int_equal(finished->done, done);
	assert_int_equal(finished->running, running);
	if (*why ? !strstr(finished->why, why) : *finished->why)
		fail_msg("'%s' is not '%s'", finished->why, why);
	ipp__finished__free_unpacked(finished, NULL);
}

/* One RESULTS frame whose payload is its task's output. */
static void answer_output(struct peer *engine, uint64_t request, uint64_t index, size_t bytes)
{
	Ipp__Result result = IPP__RESULT__INIT;
	struct blob *output = blob_new(bytes);

	memset(output->data, (int)('a' + index % 26), bytes);
	assert_int_equal(blob_seal(output, &err), 0);
	result.index = index;
	result.elapsed_us = 1000000;
	have_had_tasks_for(result.elapsed_us);
	result.stdout_bytes = bytes;
	answer_with(engine, request, &result, output);
	blob_unref(output);
}

/* ---- lists ---- */

static void requests_are_listed_with_their_states_and_counts(void **state)
{
	uint64_t first, second;
	struct peer *one = client_joins(&first), *other = client_joins(&second);
	struct peer *engine;
	Ipp__Requests *list;

	(void)state;
	detached_map(one, first, 2);
	map(other, second, 3);
	turn_a_while(base);
	assert_state(one, first, "waiting", 0);
	engine = engine_joins(0);
	assert_given(engine, 1, 0);
	assert_state(other, first, "running", 0);
	answer_one(engine, first, 0, 1000000);
	turn_a_while(base);
	list = listed(other);
	assert_int_equal(list->n_requests, 2);
	assert_int_equal(list->requests[0]->id, first);
	assert_string_equal(list->requests[0]->label, "a label");
	assert_int_equal(list->requests[0]->tasks, 2);
	assert_int_equal(list->requests[0]->done, 1);
	assert_true(list->requests[0]->detached && list->requests[0]->map);
	assert_true(list->requests[0]->submitted_us > 0);
	assert_true(list->requests[0]->started_us >= list->requests[0]->submitted_us);
	assert_int_equal(list->requests[0]->ended_us, 0);
	assert_int_equal(list->requests[1]->id, second);
	assert_false(list->requests[1]->detached);
	ipp__requests__free_unpacked(list, NULL);
}

static void ended_requests_are_remembered_as_they_ended(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	map(client, request, 1);
	assert_given(engine, 1, 0);
	answer_one(engine, request, 0, 1000000);
	map(client, request + 1, 1);
	assert_given(engine, 2, 0);
	answer_failure(engine, request + 1, 0);
	map(client, request + 2, 1);
	assert_given(engine, 3, 0);
	cancel(client, request + 2);
	push(client, request + 3, (uint32_t[]){0, 5}, 2, "x", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 1);
	answer_done(engine, request + 3);
	turn_until(base, count(client, FRAME_RESULTS) == 3);
	assert_state(client, request, "done", 1);
	assert_state(client, request + 1, "failed", 1);
	assert_state(client, request + 2, "cancelled", 0);
	assert_state(client, request + 3, "failed", 2);
}

static void history_forgets_the_oldest_but_not_results_that_were_kept(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	detached_map(client, request, 0);
	for (uint64_t i = 1; i <= HISTORY_MAX + 5; i++)
		empty_map(client, request + i);
	fetch(client, request, true, false, false);
	assert_finished(client, 1, 0, false, "");
	assert_int_equal(cluster.history.plain.n, HISTORY_MAX);
	assert_null(history_find(&cluster.history, request + 5));
	assert_non_null(history_find(&cluster.history, request + 6));
	assert_non_null(history_find(&cluster.history, request));
}

/* ---- cancelling ---- */

/* A map whose first task runs, until `engine` has heard that `other` cancelled it. */
static void cancel_running_map(struct peer *owner, uint64_t theirs, struct peer *other,
			       struct peer *engine)
{
	map(owner, theirs, 5);
	assert_given(engine, 1, 0);
	cancel(other, theirs);
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
}

static void a_request_of_another_client_can_be_cancelled_and_both_are_told(void **state)
{
	uint64_t theirs, mine;
	struct peer *owner = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *engine = engine_joins(0);

	(void)state;
	cancel_running_map(owner, theirs, other, engine);
	assert_ended(owner, 1, theirs, "it was cancelled by client 2");
	turn_a_while(base);
	assert_int_equal(count(other, FRAME_FINISHED), 0); /* some of it may still run */
	answer_done(engine, theirs);
	assert_finished(other, 1, 0, false, "");
	assert_state(owner, theirs, "cancelled", 0);
	cancel(other, theirs);
	assert_finished(other, 2, 0, false, "request 1.1 has ended already: cancelled");
	cancel(other, theirs + 7);
	assert_finished(other, 3, 0, false, "there is no request 1.8");
}

static void an_engine_that_is_lost_runs_nothing_of_what_was_cancelled(void **state)
{
	uint64_t theirs, mine;
	struct peer *owner = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *engine = engine_joins(0);

	(void)state;
	cancel_running_map(owner, theirs, other, engine);
	leaves(engine);
	assert_finished(other, 1, 0, false, "");
}

/* ---- detached ---- */

static void a_detached_map_outlives_its_client_and_any_may_fetch_it_again(void **state)
{
	uint64_t request, mine;
	struct peer *owner = client_joins(&request), *engine = engine_joins(0), *other;

	(void)state;
	detached_map(owner, request, 3);
	assert_given(engine, 1, 0);
	leaves(owner);
	answer_one(engine, request, 0, 1000000);
	other = client_joins(&mine);
	fetch(other, request, true, true, false);
	assert_finished(other, 1, 1, true, "");
	assert_int_equal(count(other, FRAME_RESULTS), 1);
	fetch(other, request, true, false, false);
	assert_given(engine, 2, 1);
	answer_one(engine, request, 1, 1000000);
	turn_until(base, count(other, FRAME_RESULTS) == 3); /* as it came */
	assert_given(engine, 3, 2);
	answer_one(engine, request, 2, 1000000);
	assert_finished(other, 2, 3, false, "");
	assert_int_equal(count(engine, FRAME_CANCEL), 0);
	other = client_joins(&mine);
	fetch(other, request, true, false, false);
	assert_finished(other, 1, 3, false, "");
	assert_each_once(other, 3);
}

static void a_detached_map_that_was_not_sent_whole_ends_with_its_client(void **state)
{
	uint64_t request, mine;
	struct peer *owner = client_joins(&request), *other = client_joins(&mine);
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	call.request = request;
	call.detached = true;
	link_send(owner->link, FRAME_CALL, &call.base, NULL);
	turn_a_while(base);
	leaves(owner);
	fetch(other, request, false, false, false);
	assert_finished(other, 1, 0, false, "its client left before it had sent all of it");
	assert_state(other, request, "failed", 0);
}

static void the_end_can_be_awaited_without_the_results(void **state)
{
	uint64_t request, mine;
	struct peer *owner = client_joins(&request), *engine = engine_joins(0);
	struct peer *other = client_joins(&mine);

	(void)state;
	map(owner, request, 1); /* not detached */
	fetch(other, request, false, false, false);
	assert_given(engine, 1, 0);
	turn_a_while(base);
	assert_int_equal(count(other, FRAME_FINISHED), 0);
	answer_one(engine, request, 0, 1000000);
	assert_finished(other, 1, 1, false, "");
	assert_int_equal(count(other, FRAME_RESULTS), 0);
}

static void what_was_not_kept_or_is_unknown_cannot_be_fetched(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	empty_map(client, request);
	fetch(client, request, true, false, false);
	assert_finished(client, 1, 0, false, "the results of request 1.1 were not kept");
	fetch(client, request + 1, true, false, false);
	assert_finished(client, 2, 0, false, "there is no request 1.2");
}

static void results_can_be_forgotten_once_they_were_fetched(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	detached_map(client, request, 1);
	fetch(client, request, true, false, true);
	assert_given(engine, 1, 0);
	answer_output(engine, request, 0, 1000);
	assert_finished(client, 1, 1, false, "");
	assert_int_equal(cluster.kept_bytes, 0);
	fetch(client, request, true, false, false);
	assert_finished(client, 2, 0, false, "there is no request 1.1");
}

static void many_results_lie_in_a_file_and_come_back_in_the_order_they_came(void **state)
{
	enum { N = 20 };
	const size_t bytes = 5 << 20;
	uint64_t request, mine;
	struct peer *client = client_joins(&request), *engine = engine_joins(0), *other;
	const size_t descriptors = open_descriptors();

	(void)state;
	detached_map(client, request, N);
	for (uint64_t i = 0; i < N; i++) {
		assert_given(engine, i + 1, i);
		answer_output(engine, request, i, bytes);
	}
	fetch(client, request, false, false, false);
	assert_finished(client, 1, N, false, "");
	assert_true(cluster.kept_bytes <= KEPT_MEMORY_MAX);
	assert_true(cluster.kept_bytes > KEPT_MEMORY_MAX / 2);
	assert_true(open_descriptors() > descriptors);
	other = client_joins(&mine);
	fetch(other, request, true, false, true);
	assert_finished(other, 1, N, false, "");
	for (size_t i = 0, at = 0; i < N; i++, at++) {
		while (other->frames[at].type != FRAME_RESULTS)
			at++;
		assert_int_equal(other->frames[at].payload->bytes, bytes);
		assert_int_equal(other->frames[at].payload->data[0], 'a' + i % 26);
		assert_int_equal(other->frames[at].payload->data[bytes - 1], 'a' + i % 26);
	}
	assert_int_equal(cluster.kept_bytes, 0);
}

static void where_results_cannot_be_kept_the_request_ends_and_says_so(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	setenv("TMPDIR", "/nonexistent", 1);
	cluster.kept_bytes = KEPT_MEMORY_MAX;
	detached_map(client, request, 3);
	assert_given(engine, 1, 0);
	answer_one(engine, request, 0, 1000000);
	assert_ended(client, 1, request, "cannot keep results in /nonexistent: No such file");
	cluster.kept_bytes -= KEPT_MEMORY_MAX;
	unsetenv("TMPDIR");
	assert_state(client, request, "failed", 1);
}

static void a_failed_task_ends_a_detached_map_that_wants_that(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	struct peer *slow = engine_joins(1);
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	call.request = request;
	call.detached = call.first_failure_ends = true;
	call_map(client, &call, 100);
	assert_given(engine, 1, 0);
	assert_given(slow, 1, 1);
	answer_failure(engine, request, 0);
	turn_a_while(base);
	assert_state(client, request, "running", 1); /* what runs is let end */
	answer_one(slow, request, 1, 1000000);
	fetch(client, request, true, false, false);
	assert_finished(client, 1, 2, false, "");
	assert_state(client, request, "failed", 2);
	assert_int_equal(count(engine, FRAME_TASKS) + count(slow, FRAME_TASKS), 2);
}

/* ---- status ---- */

static void says_health(struct peer *engine, const char *how, uint64_t memory)
{
	Ipp__Health health = IPP__HEALTH__INIT;

	turn_until(base, count(engine, FRAME_PROBE) == 1);
	health.state = (char *)how;
	health.memory_bytes = memory;
	health.busy_us = 77;
	link_send(engine->link, FRAME_HEALTH, &health.base, NULL);
}

static void the_status_says_of_each_engine_how_it_is(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *busy = engine_joins(0);
	struct peer *lost = engine_joins(2);
	Ipp__Status *status;

	(void)state;
	map(client, request, 3);
	assert_given(busy, 1, 0);
	assert_given(lost, 1, 1);
	answer_failure(busy, request, 0);
	assert_given(busy, 2, 2);
	leaves(lost);	 /* its task waits */
	engine_joins(1); /* takes that, and never answers the probe */
	turn_a_while(base);
	link_send(client->link, FRAME_STATUS, NULL, NULL);
	says_health(busy, "busy", 4096);
	turn_until(base, count(client, FRAME_STATUS) == 1);
	status = peer_message(client, latest(client, FRAME_STATUS), &ipp__status__descriptor);
	assert_int_equal(status->n_engines, 3);
	assert_int_equal(status->clients, 1);
	assert_int_equal(status->pending, 0);
	assert_string_equal(status->engines[0]->state, "busy");
	assert_string_equal(status->engines[0]->host, "n9");
	assert_int_equal(status->engines[0]->done, 1);
	assert_int_equal(status->engines[0]->failed, 1);
	assert_int_equal(status->engines[0]->queued, 1);
	assert_int_equal(status->engines[0]->memory_bytes, 4096);
	assert_int_equal(status->engines[0]->busy_us, 77);
	assert_true(status->engines[0]->up_us > 0);
	assert_string_equal(status->engines[1]->state, "silent");
	assert_int_equal(status->engines[1]->queued, 1);
	assert_string_equal(status->engines[2]->state, "lost");
	assert_int_equal(status->engines[2]->losses, 1);
	ipp__status__free_unpacked(status, NULL);
}

static void a_status_does_not_wait_for_an_engine_that_is_lost_meanwhile(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	struct timeval before, after;

	(void)state;
	gettimeofday(&before, NULL);
	link_send(client->link, FRAME_STATUS, NULL, NULL);
	turn_until(base, count(engine, FRAME_PROBE) == 1);
	leaves(engine);
	turn_until(base, count(client, FRAME_STATUS) == 1);
	gettimeofday(&after, NULL);
	assert_true(after.tv_sec - before.tv_sec < PATIENCE_S);
	link_send(client->link, FRAME_STATUS, NULL, NULL); /* nobody to ask */
	turn_until(base, count(client, FRAME_STATUS) == 2);
	engine_joins(0);
	link_send(client->link, FRAME_STATUS, NULL, NULL);
	turn_a_while(base);
	leaves(client); /* while it is asked for */
	assert_null(cluster.surveys);
}

static void who_cancelled_what_was_forgotten_meanwhile_is_told(void **state)
{
	uint64_t theirs, mine;
	struct peer *owner = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *engine = engine_joins(0);

	(void)state;
	cancel_running_map(owner, theirs, other, engine);
	for (uint64_t i = 1; i <= HISTORY_MAX + 1; i++)
		empty_map(owner, theirs + i);
	turn_until(base, !history_find(&cluster.history, theirs));
	assert_int_equal(count(other, FRAME_FINISHED), 0);
	answer_done(engine, theirs);
	assert_finished(other, 1, 0, false, "");
}

static void labels_are_kept_up_to_a_bound_and_in_whole_characters(void **state)
{
	char text[10 * REQUEST_LABEL_MAX] = "";
	uint64_t request;
	struct peer *client = client_joins(&request);
	Ipp__Call call = IPP__CALL__INIT;
	Ipp__Requests *list;

	(void)state;
	memset(text, 'x', REQUEST_LABEL_MAX - 1);
	while (strlen(text) < sizeof(text) - 3)
		strcat(text, "\u00e9"); /* two bytes, of which the first alone would have room */
	call.request = request;
	call.label = text;
	call_map(client, &call, 0);
	call.request = request + 1;
	text[REQUEST_LABEL_MAX - 1] = 'y';
	text[REQUEST_LABEL_MAX] = '\0';
	call_map(client, &call, 0);
	list = listed(client);
	assert_int_equal(list->n_requests, 2);
	assert_int_equal(strlen(list->requests[0]->label), REQUEST_LABEL_MAX - 1);
	assert_int_equal(strspn(list->requests[0]->label, "x"), REQUEST_LABEL_MAX - 1);
	assert_string_equal(list->requests[1]->label, text);
	ipp__requests__free_unpacked(list, NULL);
}

static void a_detached_apply_outlives_its_client_while_its_engine_is_away(void **state)
{
	uint64_t request;
	struct peer *owner = client_joins(&request), *engine = engine_joins(0);
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	leaves(engine);
	targets.ranks = (uint32_t[]){0};
	targets.n_ranks = 1;
	call.request = request;
	call.targets = &targets;
	call.detached = true;
	link_send(owner->link, FRAME_CALL, &call.base, NULL);
	apply(owner, request + 1, targets.ranks, 1);
	turn_a_while(base);
	assert_int_equal(cluster.engines[0]->pinned.n_tasks, 2);
	leaves(owner);
	assert_int_equal(cluster.engines[0]->pinned.n_tasks, 1);
	engine = engine_joins(0);
	assert_given(engine, 1, 0);
}

static void of_more_requests_than_a_frame_has_room_for_the_latest_are_listed(void **state)
{
	enum { N = 70000 };
	char label[REQUEST_LABEL_MAX + 1] = "";
	uint64_t request;
	struct peer *client = client_joins(&request);
	Ipp__Call call = IPP__CALL__INIT;
	Ipp__Requests *list;

	(void)state;
	memset(label, 'x', REQUEST_LABEL_MAX);
	call.label = label;
	for (uint64_t i = 0; i < N; i++) {
		call.request = request + i;
		link_send(client->link, FRAME_CALL, &call.base, NULL);
	}
	list = listed(client);
	assert_in_range(list->n_requests, N / 4, N - 1);
	assert_int_equal(list->requests[list->n_requests - 1]->id, request + N - 1);
	ipp__requests__free_unpacked(list, NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_listed_with_their_states_and_counts),
		TEST(ended_requests_are_remembered_as_they_ended),
		TEST(history_forgets_the_oldest_but_not_results_that_were_kept),
		TEST(a_request_of_another_client_can_be_cancelled_and_both_are_told),
		TEST(an_engine_that_is_lost_runs_nothing_of_what_was_cancelled),
		TEST(a_detached_map_outlives_its_client_and_any_may_fetch_it_again),
		TEST(a_detached_map_that_was_not_sent_whole_ends_with_its_client),
		TEST(the_end_can_be_awaited_without_the_results),
		TEST(what_was_not_kept_or_is_unknown_cannot_be_fetched),
		TEST(results_can_be_forgotten_once_they_were_fetched),
		TEST(many_results_lie_in_a_file_and_come_back_in_the_order_they_came),
		TEST(where_results_cannot_be_kept_the_request_ends_and_says_so),
		TEST(a_failed_task_ends_a_detached_map_that_wants_that),
		TEST(the_status_says_of_each_engine_how_it_is),
		TEST(a_status_does_not_wait_for_an_engine_that_is_lost_meanwhile),
		TEST(who_cancelled_what_was_forgotten_meanwhile_is_told),
		TEST(labels_are_kept_up_to_a_bound_and_in_whole_characters),
		TEST(a_detached_apply_outlives_its_client_while_its_engine_is_away),
		TEST(of_more_requests_than_a_frame_has_room_for_the_latest_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
