/* controller/recall.h: tasks that wait behind one that takes long, with a controller and its peers
 * in this process. */
#include <signal.h>

#include "controller/curfew.h"
#include "controller/request.h"
#include "tests/unit/controller_peers.h"

#define N 10

static struct peer *client, *busy, *idle;
static uint64_t request;

static void give_back(struct peer *engine, uint64_t of, uint64_t n)
{
	Ipp__Recall answer = IPP__RECALL__INIT;

	answer.request = of;
	answer.count = n;
	link_send(engine->link, FRAME_RECALL, &answer.base, NULL);
}

/* `busy` has the tasks 1 to 8, `idle` had the last and has nothing to do. */
static void begin(void)
{
	client = client_joins(&request);
	busy = engine_joins(0);
	map(client, request, N);
	assert_given(busy, 1, 0);
	answer_one(busy, request, 0, 1000);
	turn_until(base, cluster.requests->pending.n_tasks == 1);
	assert_int_equal(cluster.engines[0]->in_flight.n_tasks, N - 2);
	idle = engine_joins(1);
	assert_given(idle, 1, N - 1);
	answer_one(idle, request, N - 1, 1000);
}

/* Once the first of them has taken longer than it was thought to. */
static void is_asked(void)
{
	Ipp__Recall *question;

	turn_until(base, count(busy, FRAME_RECALL) > 0);
	question = peer_message(busy, latest(busy, FRAME_RECALL), &ipp__recall__descriptor);
	assert_int_equal(question->request, request);
	ipp__recall__free_unpacked(question, NULL);
}

/* The engine answers the tasks that it is given, from the nth TASKS on, until the map is over. */
static void finish(struct peer *engine, size_t nth)
{
	uint64_t first, n;

	for (uint64_t next = 2; next < N - 1; next += n) {
		given(engine, nth++, &first, &n);
		assert_int_equal(first, next);
		for (uint64_t i = 0; i < n; i++)
			answer_one(engine, request, first + i, 1000);
	}
}

static void what_waits_behind_a_task_that_takes_long_goes_to_an_idle_engine(void **state)
{
	const struct engine *engine;
	size_t had;

	(void)state;
	begin();
	is_asked();
	had = count(busy, FRAME_TASKS);
	engine = cluster.engines[0];
	give_back(busy, request, N - 3);
	finish(idle, 2);
	assert_int_equal(engine->in_flight.n_tasks, 1);
	assert_true(engine->in_flight_us > 900 && engine->in_flight_us < 1100);
	answer_one(busy, request, 1, 2000000);
	turn_until(base, count(busy, FRAME_CLOSE) == 1);
	assert_int_equal(count(busy, FRAME_TASKS), had);
	assert_int_equal(count(busy, FRAME_RECALL), 1);
	turn_a_while(base);
	assert_each_once(client, N);
}

static void an_engine_that_is_asked_is_given_nothing_until_it_has_answered(void **state)
{
	size_t had;

	(void)state;
	begin();
	is_asked();
	had = count(busy, FRAME_TASKS);
	for (uint64_t i = 1; i < N - 1; i++) /* they were all on their way */
		answer_one(busy, request, i, 1000);
	turn_until(base, count(busy, FRAME_CLOSE) == 1);
	apply(client, request + 1, (uint32_t[]){0}, 1);
	turn_a_while(base);
	assert_int_equal(count(busy, FRAME_TASKS), had);
	give_back(busy, request, 0);
	turn_until(base, count(busy, FRAME_TASKS) == had + 1);
	assert_each_once(client, N);
}

static void
an_engine_that_gives_nothing_back_is_asked_again_after_a_result_or_a_second(void **state)
{
	(void)state;
	begin();
	is_asked();
	give_back(busy, request, 0);
	turn_a_while(base);
	assert_int_equal(count(busy, FRAME_RECALL), 1);
	cluster.engines[0]->recalled_us -= 1000000;
	turn_until(base, count(busy, FRAME_RECALL) == 2);
	give_back(busy, request, 0);
	turn_a_while(base);
	assert_int_equal(count(busy, FRAME_RECALL), 2);
	answer_one(busy, request, 1, 1000);
	turn_until(base, count(busy, FRAME_RECALL) == 3);
	give_back(busy, request, N - 4);
	assert_given(idle, 2, 3);
}

static void an_engine_that_gives_back_more_than_it_had_is_dropped(void **state)
{
	(void)state;
	begin();
	is_asked();
	give_back(busy, request, N - 1);
	turn_until(base, busy->closed);
	assert_noticed(client, "it gave back more tasks than it had");
	assert_given(idle, 2, 1);
}

static void an_engine_that_gives_back_unasked_is_dropped(void **state)
{
	(void)state;
	client = client_joins(&request);
	busy = engine_joins(0);
	give_back(busy, 0, 0);
	turn_until(base, busy->closed);
	assert_noticed(client, "a RECALL frame that nobody asked for");
}

static void what_is_given_back_of_a_cancelled_map_is_forgotten(void **state)
{
	(void)state;
	begin();
	is_asked();
	cancel(client, request);
	turn_until(base, count(busy, FRAME_CANCEL) == 1);
	give_back(busy, request, N - 3);
	answer_done(busy, request);
	turn_a_while(base);
	assert_false(busy->closed);
	map(client, request + 1, 1);
	assert_given(busy, count(busy, FRAME_TASKS) + 1, 0);
}

static void an_engine_that_is_lost_while_it_is_asked_loses_no_task(void **state)
{
	(void)state;
	begin();
	is_asked();
	leaves(busy);
	assert_given(idle, 2, 1);
	busy = engine_joins(0);
	answer_one(idle, request, 1, 1000);
	turn_until(base, count(busy, FRAME_TASKS) == 1); /* its answer is not waited for */
}

static void what_a_user_let_an_engine_have_it_keeps(void **state)
{
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	client = client_joins(&request);
	busy = engine_joins(0);
	call.request = request;
	call.chunk = N;
	call_map(client, &call, N);
	assert_given(busy, 1, 0);
	cluster.engines[0]->since_us -= 60000000;
	idle = engine_joins(1);
	turn_a_while(base);
	assert_int_equal(count(busy, FRAME_RECALL), 0);
}

/* However many a user let it have, and nobody idle. */
static void what_waits_is_taken_back_when_nothing_is_to_begin_any_more(void **state)
{
	Ipp__Call call = IPP__CALL__INIT;
	uint64_t first, n;

	(void)state;
	client = client_joins(&request);
	busy = engine_joins(0);
	call.request = request;
	call.hwm = N;
	call_map(client, &call, N);
	given(busy, 1, &first, &n);
	assert_int_equal(n, N);
	curfew_fall(&cluster, SIGUSR1);
	is_asked();
	give_back(busy, request, N - 1);
	turn_a_while(base);
	assert_int_equal(count(busy, FRAME_RECALL), 1);
	assert_int_equal(count(client, FRAME_ENDED), 0); /* what runs may end */
	answer_one(busy, request, 0, 1000000);
	assert_ended(client, 1, request, "the job was told to end by SIGUSR1");
	assert_int_equal(count(client, FRAME_RESULTS), 1);
	assert_int_equal(count(busy, FRAME_TASKS), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_waits_behind_a_task_that_takes_long_goes_to_an_idle_engine),
		TEST(an_engine_that_is_asked_is_given_nothing_until_it_has_answered),
		TEST(an_engine_that_gives_nothing_back_is_asked_again_after_a_result_or_a_second),
		TEST(an_engine_that_gives_back_more_than_it_had_is_dropped),
		TEST(an_engine_that_gives_back_unasked_is_dropped),
		TEST(what_is_given_back_of_a_cancelled_map_is_forgotten),
		TEST(an_engine_that_is_lost_while_it_is_asked_loses_no_task),
		TEST(what_a_user_let_an_engine_have_it_keeps),
		TEST(what_waits_is_taken_back_when_nothing_is_to_begin_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
