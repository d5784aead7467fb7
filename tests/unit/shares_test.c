/* controller/scheduler.h: what engines are given of several requests, with a controller and its
 * peers in this process. */
#include "tests/unit/controller_peers.h"

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

static void what_an_engine_is_told_to_forget_is_no_work_before_it(void **state)
{
	uint64_t theirs, mine;
	struct peer *one = client_joins(&theirs), *other = client_joins(&mine);
	struct peer *engine = engine_joins(0);

	(void)state;
	map(one, theirs, 1000);
	assert_given(engine, 1, 0);
	answer_one(engine, theirs, 0, 1000);
	assert_given(engine, 2, 1);
	apply(other, mine, (uint32_t[]){0}, 1);
	assert_given(engine, 3, 0);
	assert_true(cluster.engines[0]->in_flight_us > 10000);
	cancel(one, theirs);
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
	assert_int_equal(cluster.engines[0]->in_flight.n_tasks, 1);
	assert_true(cluster.engines[0]->in_flight_us < 1);
}

static void thousands_of_tasks_of_direct_views_wait_at_the_controller(void **state)
{
	enum { N = 1200, AT_FIRST = 64, AT_ONCE = 1000 };
	uint64_t request, most = 0;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	for (uint64_t i = 0; i < N; i++)
		apply(client, request + i, (uint32_t[]){0}, 1);
	turn_until(base, cluster.engines[0]->in_flight.n_tasks > 0);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_TASKS), AT_FIRST);
	for (uint64_t i = 0; i < N; i++) { /* small results, it turns out */
		turn_until(base, count(engine, FRAME_TASKS) > i);
		if (most < cluster.engines[0]->in_flight.n_tasks)
			most = cluster.engines[0]->in_flight.n_tasks;
		answer_one(engine, request + i, 0, 1);
	}
	turn_until(base, count(client, FRAME_RESULTS) == N);
	assert_int_equal(most, AT_ONCE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(maps_of_short_and_long_tasks_get_the_same_time),
		TEST(a_new_small_map_is_not_stuck_behind_a_big_one),
		TEST(a_direct_view_goes_first),
		TEST(nothing_is_queued_behind_another_maps_task_of_unknown_length),
		TEST(nothing_is_queued_behind_a_task_that_takes_longer_than_was_thought),
		TEST(an_answered_errand_makes_room_for_a_map),
		TEST(what_an_engine_is_told_to_forget_is_no_work_before_it),
		TEST(thousands_of_tasks_of_direct_views_wait_at_the_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
