/* Requests as others see them: lists, cancelling, detached ones and their results, dependencies,
 * fair shares, and how the engines are. */
#include <sys/resource.h>
#include <sys/time.h>

#include "controller/history.h"
#include "controller/kept_results.h"
#include "controller/request.h"
#include "tests/unit/controller_peers.h"

/* ---- what clients say ---- */

static void call_map(struct peer *client, Ipp__Call *call, uint64_t n)
{
	Ipp__Tasks tasks = IPP__TASKS__INIT;
	Ipp__End end = IPP__END__INIT;

	tasks.request = end.request = call->request;
	link_send(client->link, FRAME_CALL, &call->base, NULL);
	tasks.count = end.total = n;
	tasks.range = true;
	tasks.step = 1;
	if (n > 0)
		link_send(client->link, FRAME_TASKS, &tasks.base, NULL);
	link_send(client->link, FRAME_END, &end.base, NULL);
}

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

static void map_after(struct peer *client, uint64_t request, uint64_t other, bool follow)
{
	Ipp__Call call = IPP__CALL__INIT;

	call.request = request;
	if (follow) {
		call.follow = &other;
		call.n_follow = 1;
	} else {
		call.after = &other;
		call.n_after = 1;
	}
	call_map(client, &call, 1);
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

static void assert_ended(struct peer *client, size_t nth, uint64_t request, const char *why)
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
static Ipp__Requests *listed(struct peer *client)
{
	const size_t before = count(client, FRAME_REQUESTS);

	link_send(client->link, FRAME_REQUESTS, NULL, NULL);
	turn_until(base, count(client, FRAME_REQUESTS) == before + 1);
	return peer_message(client, latest(client, FRAME_REQUESTS), &ipp__requests__descriptor);
}

static void assert_state(struct peer *client, uint64_t request, const char *state, uint64_t done)
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

static void answer_failure(struct peer *engine, uint64_t request, uint64_t index)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;

	result.index = index;
	result.outcome = IPP__OUTCOME__EXITED;
	result.code = 1;
	result.error = (char *)"it exited with 1";
	results.request = request;
	results.n_results = 1;
	results.results = &one;
	link_send(engine->link, FRAME_RESULTS, &results.base, NULL);
}

/* One RESULTS frame whose payload is its task's output. */
static void answer_output(struct peer *engine, uint64_t request, uint64_t index, size_t bytes)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;
	struct blob *output = blob_new(bytes);

	memset(output->data, (int)('a' + index % 26), bytes);
	assert_int_equal(blob_seal(output, &err), 0);
	result.index = index;
	result.elapsed_us = 1000000;
	result.stdout_bytes = bytes;
	results.request = request;
	results.n_results = 1;
	results.results = &one;
	link_send(engine->link, FRAME_RESULTS, &results.base, output);
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

static void a_request_of_another_client_can_be_cancelled_and_both_are_told(void **state)
{
	uint64_t theirs, mine;
	struct peer *owner = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *engine = engine_joins(0);

	(void)state;
	map(owner, theirs, 5);
	assert_given(engine, 1, 0);
	cancel(other, theirs);
	assert_ended(owner, 1, theirs, "it was cancelled by client 2");
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
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
	map(owner, theirs, 5);
	assert_given(engine, 1, 0);
	cancel(other, theirs);
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
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

/* ---- dependencies ---- */

static void a_map_waits_for_those_it_comes_after(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0), *idle;

	(void)state;
	map(client, request, 1);
	map_after(client, request + 1, request, false);
	assert_given(engine, 1, 0);
	idle = engine_joins(1);
	turn_a_while(base);
	assert_state(client, request + 1, "waiting", 0);
	assert_int_equal(count(idle, FRAME_TASKS), 0);
	leaves(idle);
	answer_one(engine, request, 0, 1000000);
	assert_given(engine, 2, 0);
	answer_one(engine, request + 1, 0, 1000000);
	map_after(client, request + 2, request, false); /* ended long ago */
	assert_given(engine, 3, 0);
}

static void a_map_that_follows_runs_where_the_other_ran(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *idle = engine_joins(0);
	struct peer *engine = engine_joins(1);

	(void)state;
	apply(client, request, (uint32_t[]){1}, 1);
	assert_given(engine, 1, 0);
	map_after(client, request + 1, request, true);
	answer_one(engine, request, 0, 1000000);
	assert_given(engine, 2, 0);
	assert_int_equal(count(idle, FRAME_TASKS), 0);
}

static void a_map_that_may_not_run_where_what_it_follows_ran_ends_at_once(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Call call = IPP__CALL__INIT;
	uint64_t other = request;
	uint32_t among = 1;

	(void)state;
	engine_joins(1);
	map(client, request, 1);
	assert_given(engine, 1, 0);
	call.request = request + 1;
	call.follow = &other;
	call.among = &among;
	call.n_follow = call.n_among = 1;
	call_map(client, &call, 1);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ENDED), 0);
	answer_one(engine, request, 0, 1000000);
	assert_ended(client, 1, request + 1, "and may run on none of those engines");
	call.request = request + 2;
	call_map(client, &call, 1);
	assert_ended(client, 2, request + 2, "and may run on none of those engines");
	assert_null(cluster.requests);
}

static void what_comes_after_a_failure_never_runs_nor_what_comes_after_that(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	map(client, request, 1);
	map_after(client, request + 1, request, false);
	map_after(client, request + 2, request + 1, false);
	assert_given(engine, 1, 0);
	answer_failure(engine, request, 0);
	turn_until(base, count(client, FRAME_ENDED) == 2);
	assert_ended(client, 2, request + 2, "it was to run after request 1.2, which failed");
	assert_state(client, request + 1, "failed", 0);
	map_after(client, request + 3, request, false);
	assert_ended(client, 3, request + 3, "it was to run after request 1.1, which failed");
	map(client, request + 4, 1);
	assert_given(engine, 2, 0);
	cancel(client, request + 4);
	map_after(client, request + 5, request + 4, true);
	assert_ended(client, 4, request + 5, "after request 1.5, which was cancelled");
}

static void a_long_line_of_maps_that_wait_for_each_other_ends_on_a_small_stack(void **state)
{
	enum { N = 3000 };
	uint64_t request;
	struct peer *client = client_joins(&request);
	struct rlimit usual, small;

	(void)state;
	map(client, request, 1);
	for (uint64_t i = 1; i < N; i++)
		map_after(client, request + i, request + i - 1, false);
	turn_a_while(base);
	getrlimit(RLIMIT_STACK, &usual);
	small = usual;
	small.rlim_cur = 512 << 10;
	setrlimit(RLIMIT_STACK, &small);
	cancel(client, request);
	turn_until(base, count(client, FRAME_ENDED) == N - 1);
	setrlimit(RLIMIT_STACK, &usual);
	assert_ended(client, N - 1, request + N - 1, "it was to run after request 1.2999, which");
	assert_null(cluster.requests);
}

static void a_dependency_on_what_is_unknown_is_refused(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	map_after(client, request, request, false); /* itself */
	assert_ended(client, 1, request, "after request 1.1, which is unknown");
	map_after(client, request + 1, UINT64_C(99) << 32 | 7, true);
	assert_ended(client, 2, request + 1, "after request 99.7, which is unknown");
}

static void a_client_that_goes_takes_what_depended_on_its_map_along(void **state)
{
	uint64_t theirs, mine;
	struct peer *owner = client_joins(&theirs), *other = client_joins(&mine);

	(void)state;
	map(owner, theirs, 1);
	map_after(owner, theirs + 1, theirs, false);
	turn_a_while(base);
	map_after(other, mine, theirs + 1, false);
	turn_a_while(base);
	leaves(owner);
	assert_ended(other, 1, mine, "it was to run after request 1.2, which");
	assert_null(cluster.requests);
}

/* ---- fair shares ---- */

/* One engine, simulated: its clock is what its tasks have taken.  Microseconds each map got. */
static void share(struct peer *engine, const uint64_t *requests, const uint64_t *task_us,
		  uint64_t total_us, uint64_t *got_us)
{
	uint64_t indices[64];
	size_t at = 0;

	for (uint64_t now_us = 0; now_us < total_us; at++) {
		Ipp__Tasks *tasks;
		size_t which;

		turn_until(base, at < engine->n);
		if (engine->frames[at].type != FRAME_TASKS)
			continue;
		tasks = peer_message(engine, at, &ipp__tasks__descriptor);
		which = tasks->request == requests[1];
		assert_true(tasks->count <= 64);
		for (uint64_t i = 0; i < tasks->count; i++)
			indices[i] = tasks->first + i;
		answer(engine, tasks->request, indices, tasks->count, task_us[which]);
		got_us[which] += tasks->count * task_us[which];
		now_us += tasks->count * task_us[which];
		ipp__tasks__free_unpacked(tasks, NULL);
	}
}

static void maps_of_short_and_long_tasks_get_the_same_time(void **state)
{
	uint64_t requests[2], got_us[2] = {0, 0};
	struct peer *one = client_joins(&requests[0]), *other = client_joins(&requests[1]);

	(void)state;
	map(one, requests[0], 100000);
	map(other, requests[1], 100000);
	turn_a_while(base);
	share(engine_joins(0), requests, (uint64_t[]){1000, 100000}, 10000000, got_us);
	assert_in_range(got_us[0], 4000000, 6000000);
	assert_in_range(got_us[1], 4000000, 6000000);
}

static void a_new_small_map_is_not_stuck_behind_a_big_one(void **state)
{
	uint64_t requests[2], got_us[2] = {0, 0};
	struct peer *one = client_joins(&requests[0]), *other = client_joins(&requests[1]);
	struct peer *engine = engine_joins(0);

	(void)state;
	map(one, requests[0], 100000);
	share(engine, requests, (uint64_t[]){1000, 1000}, 5000000, got_us);
	peer_forget(engine);
	map(other, requests[1], 10);
	got_us[0] = got_us[1] = 0;
	share(engine, requests, (uint64_t[]){1000, 1000}, 100000, got_us);
	assert_int_equal(got_us[1], 10000);
}

static void a_direct_view_goes_first(void **state)
{
	uint64_t theirs, mine, first, n;
	struct peer *one = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *engine = engine_joins(0);
	Ipp__Tasks *tasks;

	(void)state;
	map(one, theirs, 1000);
	given(engine, 1, &first, &n);
	apply(other, mine, (uint32_t[]){0}, 1);
	turn_until(base, count(engine, FRAME_TASKS) == 2); /* before the first task has ended */
	tasks = peer_message(engine, latest(engine, FRAME_TASKS), &ipp__tasks__descriptor);
	assert_int_equal(tasks->request, mine);
	ipp__tasks__free_unpacked(tasks, NULL);
}

/* `busy` is at a task of `request`, and another client's map of short tasks goes on without it. */
static void assert_left_alone(struct peer *busy, struct peer *idle, uint64_t request)
{
	const size_t had = count(busy, FRAME_TASKS);
	uint64_t indices[64], first, n;

	for (size_t nth = count(idle, FRAME_TASKS) + 1; nth < 40; nth++) {
		given(idle, nth, &first, &n);
		assert_true(n <= 64);
		for (uint64_t i = 0; i < n; i++)
			indices[i] = first + i;
		answer(idle, request, indices, n, 1000);
	}
	turn_a_while(base);
	assert_int_equal(count(busy, FRAME_TASKS), had);
}

static void nothing_is_queued_behind_another_maps_task_of_unknown_length(void **state)
{
	uint64_t theirs, mine;
	struct peer *one = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *busy = engine_joins(0), *idle = engine_joins(1);

	(void)state;
	map(one, theirs, 1);
	assert_given(busy, 1, 0);
	map(other, mine, 100000);
	assert_left_alone(busy, idle, mine);
	answer_one(busy, theirs, 0, 8000000);
	turn_until(base, count(busy, FRAME_TASKS) == 2); /* it is back in the line */
}

static void nothing_is_queued_behind_a_task_that_takes_longer_than_was_thought(void **state)
{
	uint64_t theirs, mine;
	struct peer *one = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *busy = engine_joins(0), *idle;

	(void)state;
	map(one, theirs, 2);
	assert_given(busy, 1, 0);
	answer_one(busy, theirs, 0, 1000);
	assert_given(busy, 2, 1);
	cluster.engines[0]->since_us -= 60000000;
	idle = engine_joins(1);
	map(other, mine, 100000);
	assert_left_alone(busy, idle, mine);
	answer_one(busy, theirs, 1, 60000000);
	turn_until(base, count(busy, FRAME_TASKS) == 3);
}

static void an_answered_errand_makes_room_for_a_map(void **state)
{
	uint64_t theirs, mine;
	struct peer *one = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *engine = engine_joins(0), *silent = engine_joins(1);
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__List list = IPP__LIST__INIT;

	(void)state;
	targets.ranks = (uint32_t[]){0, 1};
	targets.n_ranks = 2;
	list.request = theirs;
	list.targets = &targets;
	link_send(one->link, FRAME_LIST, &list.base, NULL);
	turn_until(base, count(engine, FRAME_LIST) == 1 && count(silent, FRAME_LIST) == 1);
	map(other, mine, 10);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_TASKS), 0);
	answer_one(engine, theirs, 0, 10);
	assert_given(engine, 1, 0);
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
		TEST(a_map_waits_for_those_it_comes_after),
		TEST(a_map_that_follows_runs_where_the_other_ran),
		TEST(a_map_that_may_not_run_where_what_it_follows_ran_ends_at_once),
		TEST(what_comes_after_a_failure_never_runs_nor_what_comes_after_that),
		TEST(a_long_line_of_maps_that_wait_for_each_other_ends_on_a_small_stack),
		TEST(a_dependency_on_what_is_unknown_is_refused),
		TEST(a_client_that_goes_takes_what_depended_on_its_map_along),
		TEST(maps_of_short_and_long_tasks_get_the_same_time),
		TEST(a_new_small_map_is_not_stuck_behind_a_big_one),
		TEST(a_direct_view_goes_first),
		TEST(nothing_is_queued_behind_another_maps_task_of_unknown_length),
		TEST(nothing_is_queued_behind_a_task_that_takes_longer_than_was_thought),
		TEST(an_answered_errand_makes_room_for_a_map),
		TEST(the_status_says_of_each_engine_how_it_is),
		TEST(a_status_does_not_wait_for_an_engine_that_is_lost_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
