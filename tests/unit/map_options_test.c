/* What a map's options make of the scheduler: retries, chosen engines, chunks, high-water marks. */
#include <event2/event.h>

#include "tests/unit/controller_peers.h"

static struct peer *client, *engine; /* that is rank 0 */
static uint64_t request;
static Ipp__Call call;

static int setup_map(void **state)
{
	setup(state);
	client = client_joins(&request);
	engine = engine_joins(0);
	ipp__call__init(&call);
	call.request = request;
	return 0;
}

/* The task ends so, having written something. */
static void answer_so(struct peer *from, uint64_t index, Ipp__Outcome outcome)
{
	Ipp__Result result = IPP__RESULT__INIT;
	struct blob *output = blob_copy("out", 3);

	result.index = index;
	result.outcome = outcome;
	result.stdout_bytes = 3;
	answer_with(from, request, &result, output);
	blob_unref(output);
}

static void assert_result(size_t nth, uint64_t index, unsigned tries, bool again)
{
	Ipp__Results *results;
	size_t at = 0;

	turn_until(base, count(client, FRAME_RESULTS) >= nth);
	while (client->frames[at].type != FRAME_RESULTS || --nth > 0)
		at++;
	results = peer_message(client, at, &ipp__results__descriptor);
	assert_int_equal(results->n_results, 1);
	assert_int_equal(results->results[0]->index, index);
	assert_int_equal(results->results[0]->tries, tries);
	assert_int_equal(results->results[0]->again, again);
	assert_int_equal(results->results[0]->stdout_bytes, 3);
	ipp__results__free_unpacked(results, NULL);
}

static void a_task_that_failed_is_run_again_until_its_tries_are_used_up(void **state)
{

	(void)state;
	call.retries = 2;
	call_map(client, &call, 2);
	assert_given(engine, 1, 0);
	answer_so(engine, 0, IPP__OUTCOME__EXITED);
	assert_result(1, 0, 0, true);
	assert_given(engine, 2, 0);
	answer_so(engine, 0, IPP__OUTCOME__TIMED_OUT);
	assert_result(2, 0, 1, true);
	assert_given(engine, 3, 0);
	answer_so(engine, 0, IPP__OUTCOME__KILLED);
	assert_result(3, 0, 2, false);
	assert_given(engine, 4, 1);
	answer_so(engine, 1, IPP__OUTCOME__ERROR);
	assert_given(engine, 5, 1);
	answer_so(engine, 1, IPP__OUTCOME__OK);
	assert_result(5, 1, 1, false);
	turn_until(base, count(engine, FRAME_CLOSE) == 1);
	assert_null(cluster.requests);
}

static void a_task_that_failed_is_run_again_elsewhere_where_another_may_run_it(void **state)
{
	struct peer *other = engine_joins(1);

	(void)state;
	call.retries = 1;
	call_map(client, &call, 4);
	assert_given(engine, 1, 0);
	assert_given(other, 1, 1);
	answer_so(engine, 0, IPP__OUTCOME__EXITED);
	assert_given(engine, 2, 2); /* and goes on with the others */
	answer_so(other, 1, IPP__OUTCOME__OK);
	assert_given(other, 2, 0);
	answer_so(engine, 2, IPP__OUTCOME__EXITED);
	assert_given(engine, 3, 3);
	answer_so(engine, 3, IPP__OUTCOME__OK);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_TASKS), 3); /* it waits */
	answer_so(other, 0, IPP__OUTCOME__OK);
	assert_given(other, 3, 2);
	leaves(other);
	assert_given(engine, 4, 2);
	answer_so(engine, 2, IPP__OUTCOME__OK);
	turn_until(base, count(engine, FRAME_CLOSE) == 1);
}

static void what_failed_where_alone_it_may_run_is_run_there_again(void **state)
{
	uint32_t chosen[] = {0};

	(void)state;
	engine_joins(1);
	call.retries = 1;
	call.among = chosen;
	call.n_among = 1;
	call_map(client, &call, 2);
	assert_given(engine, 1, 0);
	answer_so(engine, 0, IPP__OUTCOME__EXITED);
	assert_given(engine, 2, 0);
}

static void what_will_not_go_better_is_not_run_again(void **state)
{

	(void)state;
	call.retries = 9;
	call_map(client, &call, 1);
	assert_given(engine, 1, 0);
	answer_so(engine, 0, IPP__OUTCOME__NO_COMMAND);
	assert_result(1, 0, 0, false);
}

static void tries_are_remembered_when_an_engine_is_lost(void **state)
{
	struct peer *other;

	(void)state;
	call.retries = 1;
	call_map(client, &call, 1);
	assert_given(engine, 1, 0);
	answer_so(engine, 0, IPP__OUTCOME__EXITED);
	assert_given(engine, 2, 0);
	leaves(engine);
	other = engine_joins(1);
	assert_given(other, 1, 0);
	answer_so(other, 0, IPP__OUTCOME__EXITED);
	assert_result(2, 0, 1, false);
}

static void a_map_with_retries_stops_at_a_failure_for_good_alone(void **state)
{

	(void)state;
	call.retries = 1;
	call.first_failure_ends = true;
	call_map(client, &call, 3);
	assert_given(engine, 1, 0);
	answer_so(engine, 0, IPP__OUTCOME__EXITED);
	assert_given(engine, 2, 0);
	answer_so(engine, 0, IPP__OUTCOME__OK);
	assert_given(engine, 3, 1);
	answer_so(engine, 1, IPP__OUTCOME__EXITED);
	assert_given(engine, 4, 1);
	answer_so(engine, 1, IPP__OUTCOME__EXITED);
	turn_until(base, count(engine, FRAME_CLOSE) == 1);
	assert_int_equal(count(engine, FRAME_TASKS), 4);
}

static void a_map_runs_on_the_chosen_engines_alone(void **state)
{
	struct peer *other = engine_joins(1);
	uint32_t chosen[] = {1, 1};

	(void)state;
	call.among = chosen;
	call.n_among = 2;
	call_map(client, &call, 3);
	work_until(other, client, request, 3);
	assert_int_equal(count(engine, FRAME_TASKS), 0);
	assert_each_once(client, 3);
}

/* Since that engine was lost, and before that. */
static void ten_seconds_pass_for(uint32_t rank)
{
	cluster.engines[rank]->lost_us -= 10000000;
	event_active(cluster.stranded, EV_TIMEOUT, 1);
}

static void a_map_whose_engines_do_not_come_back_is_ended(void **state)
{
	uint32_t chosen = 0;

	(void)state;
	engine_joins(1);
	call.among = &chosen;
	call.n_among = 1;
	call_map(client, &call, 3);
	assert_given(engine, 1, 0);
	assert_false(event_pending(cluster.stranded, EV_TIMEOUT, NULL));
	leaves(engine);
	assert_true(event_pending(cluster.stranded, EV_TIMEOUT, NULL));
	engine = engine_joins(0); /* its guard lives */
	ten_seconds_pass_for(0);
	assert_given(engine, 1, 0);
	leaves(engine);
	event_active(cluster.stranded, EV_TIMEOUT, 1);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ENDED), 0);
	ten_seconds_pass_for(0);
	assert_ended(client, 1, request, "none of the engines that it may run on is left");
}

static void a_map_for_an_engine_that_is_away_does_not_wait_for_ever(void **state)
{
	uint32_t chosen = 0;

	(void)state;
	leaves(engine);
	assert_false(event_pending(cluster.stranded, EV_TIMEOUT, NULL));
	call.among = &chosen;
	call.n_among = 1;
	call_map(client, &call, 3);
	turn_a_while(base);
	assert_true(event_pending(cluster.stranded, EV_TIMEOUT, NULL));
	ten_seconds_pass_for(0);
	assert_ended(client, 1, request, "none of the engines that it may run on is left");
}

static void a_chosen_engine_that_is_not_there_is_named(void **state)
{
	uint32_t chosen[] = {0, 7};

	(void)state;
	call.among = chosen;
	call.n_among = 2;
	call_map(client, &call, 3);
	assert_ended(client, 1, request,
		     "it was to run on engine 7, which is not there; ipp-run ids lists them");
}

static void chunks_are_handed_out_whole(void **state)
{
	uint64_t first, n;

	(void)state;
	call.chunk = 5;
	call_map(client, &call, 12);
	given(engine, 1, &first, &n);
	assert_int_equal(n, 5);
	for (uint64_t i = 0; i < 5; i++)
		answer_one(engine, request, i, 1000000);
	given(engine, 2, &first, &n);
	assert_int_equal(first, 5);
	assert_int_equal(n, 5);
}

static void an_engine_is_filled_up_to_the_high_water_mark(void **state)
{
	uint64_t first, n;

	(void)state;
	call.hwm = 4;
	call_map(client, &call, 12);
	given(engine, 1, &first, &n);
	assert_int_equal(n, 4);
	answer_one(engine, request, 0, 5000000);
	given(engine, 2, &first, &n);
	assert_int_equal(first, 4);
	assert_int_equal(n, 1);
}

static void a_high_water_mark_leaves_no_engine_idle(void **state)
{
	uint64_t first, n;
	struct peer *other = engine_joins(1);

	(void)state;
	call.hwm = 100;
	link_send(client->link, FRAME_CALL, &call.base, NULL);
	send_items(client, request, 0, 1);
	assert_given(engine, 1, 0);
	send_items(client, request, 1, 12);
	given(other, 1, &first, &n);
	assert_int_equal(first, 1);
	assert_int_equal(n, 12);
	answer_one(engine, request, 0, 1000);
	turn_a_while(base);
	send_items(client, request, 13, 7);
	given(engine, 2, &first, &n);
	assert_int_equal(n, 7);
	send_items(client, request, 20, 9); /* both are busy */
	given(engine, 3, &first, &n);
	assert_int_equal(n, 5);
	given(other, 2, &first, &n);
	assert_int_equal(n, 2);
}

static void idle_engines_get_equal_parts_up_to_the_high_water_mark(void **state)
{
	uint64_t first, n;
	struct peer *other = engine_joins(1);

	(void)state;
	call.hwm = 100;
	call_map(client, &call, 12);
	given(engine, 1, &first, &n);
	assert_int_equal(n, 6);
	given(other, 1, &first, &n);
	assert_int_equal(n, 6);
}

static void a_map_whose_engines_are_gone_does_not_wait_for_each_loss_of_another(void **state)
{
	struct peer *other = engine_joins(1);
	uint32_t chosen = 0;

	(void)state;
	call.among = &chosen;
	call.n_among = 1;
	call_map(client, &call, 3);
	assert_given(engine, 1, 0);
	leaves(engine);
	cluster.engines[0]->lost_us -= 10000000;
	leaves(other);
	assert_int_equal(count(client, FRAME_ENDED), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_map, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_that_failed_is_run_again_until_its_tries_are_used_up),
		TEST(a_task_that_failed_is_run_again_elsewhere_where_another_may_run_it),
		TEST(what_failed_where_alone_it_may_run_is_run_there_again),
		TEST(what_will_not_go_better_is_not_run_again),
		TEST(tries_are_remembered_when_an_engine_is_lost),
		TEST(a_map_with_retries_stops_at_a_failure_for_good_alone),
		TEST(a_map_runs_on_the_chosen_engines_alone),
		TEST(a_map_whose_engines_do_not_come_back_is_ended),
		TEST(a_map_for_an_engine_that_is_away_does_not_wait_for_ever),
		TEST(a_chosen_engine_that_is_not_there_is_named),
		TEST(chunks_are_handed_out_whole),
		TEST(an_engine_is_filled_up_to_the_high_water_mark),
		TEST(a_high_water_mark_leaves_no_engine_idle),
		TEST(idle_engines_get_equal_parts_up_to_the_high_water_mark),
		TEST(a_map_whose_engines_are_gone_does_not_wait_for_each_loss_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
