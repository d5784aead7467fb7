/* controller/results.h and loss.h: each result once, whoever misbehaves, dies or leaves. */
#include "controller/request.h"
#include "tests/unit/controller_peers.h"

static void a_map_ends_with_each_result_once(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	map(client, request, 20);
	work_until(engine, client, request, 20);
	assert_each_once(client, 20);
	assert_int_equal(count(engine, FRAME_CALL), 1);
	turn_until(base, count(engine, FRAME_CLOSE) == 1); /* it can wait */
}

/* Engine 0 has finished task 0 and has at least the tasks 1 to 4. */
static void begin_map(struct peer *client, struct peer *engine, uint64_t request)
{
	uint64_t first, n;

	map(client, request, 20);
	assert_given(engine, 1, 0);
	answer_one(engine, request, 0, 10);
	given(engine, 2, &first, &n);
	assert_int_equal(first, 1);
	assert_true(n >= 4);
}

static void a_result_out_of_turn_costs_the_engine_and_no_result(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *liar = engine_joins(0), *engine;

	(void)state;
	begin_map(client, liar, request);
	answer(liar, request, (uint64_t[]){1, 3}, 2, 10);
	turn_until(base, liar->closed);
	assert_noticed(client, "engine 0 on n9 was lost: a result came that was not its turn");
	engine = engine_joins(1);
	work_until(engine, client, request, 19);
	assert_each_once(client, 20);
}

static void a_result_that_is_cut_short_costs_the_engine_and_no_result(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *broken = engine_joins(0), *engine;
	Ipp__Result result = IPP__RESULT__INIT;
	struct blob *payload = blob_copy("out", 3);

	(void)state;
	begin_map(client, broken, request);
	result.index = 1;
	result.stdout_bytes = 4;
	answer_with(broken, request, &result, payload);
	blob_unref(payload);
	turn_until(base, broken->closed);
	assert_noticed(client, "engine 0 on n9 was lost: a result came that is cut short, or none");
	engine = engine_joins(1);
	work_until(engine, client, request, 19);
	assert_each_once(client, 20);
}

static void the_tasks_of_a_lost_engine_go_to_the_next_in_order(void **state)
{
	uint64_t request, first, n, next = 2;
	size_t frames = 0;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	begin_map(client, engine, request);
	answer_one(engine, request, 1, 10);
	turn_a_while(base);
	leaves(engine);
	assert_noticed(client, "engine 0 on n9 was lost: its process ended");
	engine = engine_joins(1);
	while (next < 20) {
		given(engine, ++frames, &first, &n);
		assert_int_equal(first, next);
		for (uint64_t i = 0; i < n; i++)
			answer_one(engine, request, first + i, 100000);
		next += n;
	}
	turn_a_while(base);
	assert_each_once(client, 20);
}

static void a_task_that_loses_four_engines_is_given_up_with_its_cause(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine;

	(void)state;
	map(client, request, 2);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(count(client, FRAME_RESULTS), 0);
		engine = engine_joins(0);
		assert_given(engine, 1, 0);
		leaves(engine);
	}
	turn_until(base, count(client, FRAME_RESULTS) == 1);
	assert_lost(client, 0, "engine 0 on n9 was lost: its process ended");
	engine = engine_joins(0);
	assert_given(engine, 1, 1); /* the rest goes on */
	answer_one(engine, request, 1, 10);
	turn_until(base, count(client, FRAME_RESULTS) == 2);
}

static void a_task_of_a_direct_view_is_lost_with_its_engine(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	engine_joins(1);
	apply(client, request, (uint32_t[]){1, 0}, 2);
	assert_given(engine, 1, 1); /* its place among the targets */
	leaves(engine);
	assert_lost(client, 1, "engine 0 on n9 was lost");
}

static void a_target_that_is_not_there_is_told_at_once(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	apply(client, request, (uint32_t[]){9}, 1);
	turn_until(base, count(client, FRAME_RESULTS) == 1);
	assert_lost(client, 0, "there is no such engine");
}

static void late_results_of_a_cancelled_map_are_ignored(void **state)
{
	uint64_t request;
	size_t frames;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	begin_map(client, engine, request);
	cancel(client, request);
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
	answer_one(engine, request, 1, 10);
	frames = count(engine, FRAME_TASKS);
	map(client, request + 1, 1);
	assert_given(engine, frames + 1, 0);
	answer_one(engine, request + 1, 0, 10);
	turn_until(base, count(client, FRAME_RESULTS) == 2); /* task 0 of each */
	assert_false(engine->closed);
}

static void a_client_that_goes_takes_its_map_along(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	begin_map(client, engine, request);
	leaves(client);
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
	assert_null(cluster.requests);
}

static void clients_take_turns(void **state)
{
	uint64_t mine, theirs;
	struct peer *one = client_joins(&mine), *other = client_joins(&theirs);
	struct peer *engine;
	size_t n[2] = {0, 0};

	(void)state;
	map(one, mine, 10);
	map(other, theirs, 10);
	turn_a_while(base);
	engine = engine_joins(0);
	for (size_t at = 0; n[0] + n[1] < 10; at++) {
		Ipp__Tasks *tasks;

		turn_until(base, at < engine->n);
		if (engine->frames[at].type != FRAME_TASKS)
			continue;
		tasks = peer_message(engine, at, &ipp__tasks__descriptor);
		n[tasks->request == mine] += tasks->count;
		answer_one(engine, tasks->request, tasks->first, 1000000);
		ipp__tasks__free_unpacked(tasks, NULL);
	}
	assert_int_equal(n[0], 5);
	assert_int_equal(n[1], 5);
}

/* As user code may, which can write what it likes on its worker's link. */
static void what_is_the_controllers_to_say_of_a_result_is_not_taken_from_an_engine(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *liar = engine_joins(0);
	Ipp__Results results = IPP__RESULTS__INIT, *got;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;

	(void)state;
	map(client, request, 1);
	assert_given(liar, 1, 0);
	results.request = request;
	results.n_results = 1;
	results.results = &one;
	results.fetch = 5;
	results.heads = true;
	result.engine = 7;
	result.tries = 9;
	result.again = result.stray = true;
	link_send(liar->link, FRAME_RESULTS, &results.base, NULL);
	turn_until(base, count(client, FRAME_RESULTS) == 1);
	got = peer_message(client, latest(client, FRAME_RESULTS), &ipp__results__descriptor);
	assert_int_equal(got->fetch, 0);
	assert_false(got->heads);
	assert_int_equal(got->results[0]->engine, 0);
	assert_int_equal(got->results[0]->tries, 0);
	assert_false(got->results[0]->again);
	ipp__results__free_unpacked(got, NULL);
	assert_null(cluster.requests);
}

/* It would get a map to the end of the line, and keep its tasks from beginning for the job's end.
 */
static void an_engine_is_not_believed_to_have_been_at_tasks_for_longer_than_it_had_any(void **state)
{
	const int64_t before_us = engine_now_us();
	uint64_t id;
	double now_us;
	struct peer *client = client_joins(&id), *liar = engine_joins(0);
	const struct request *request;

	(void)state;
	map(client, id, 3);
	for (uint64_t i = 0; i < 2; i++) {
		Ipp__Result result = IPP__RESULT__INIT;

		assert_given(liar, i + 1, i);
		result.index = i;
		result.elapsed_us = UINT64_MAX - i;
		answer_with(liar, id, &result, NULL);
	}
	assert_given(liar, 3, 2);
	request = request_find(&cluster.index, id);
	now_us = (double)(engine_now_us() - before_us);
	assert_true(request->served_us <= now_us);
	assert_true(request->long_us <= now_us);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_map_ends_with_each_result_once),
		TEST(a_result_out_of_turn_costs_the_engine_and_no_result),
		TEST(a_result_that_is_cut_short_costs_the_engine_and_no_result),
		TEST(the_tasks_of_a_lost_engine_go_to_the_next_in_order),
		TEST(a_task_that_loses_four_engines_is_given_up_with_its_cause),
		TEST(a_task_of_a_direct_view_is_lost_with_its_engine),
		TEST(a_target_that_is_not_there_is_told_at_once),
		TEST(late_results_of_a_cancelled_map_are_ignored),
		TEST(a_client_that_goes_takes_its_map_along),
		TEST(clients_take_turns),
		TEST(what_is_the_controllers_to_say_of_a_result_is_not_taken_from_an_engine),
		TEST(an_engine_is_not_believed_to_have_been_at_tasks_for_longer_than_it_had_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
