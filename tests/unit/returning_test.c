/* controller/returning.h: engines that were lost and are started again, or not. */
#include "controller/engine.h"
#include "tests/unit/controller_peers.h"

static void ask_for_all(struct peer *client)
{
	Ipp__Roster question = IPP__ROSTER__INIT;

	question.whole = true;
	link_send(client->link, FRAME_ROSTER, &question.base, NULL);
	turn_a_while(base);
}

/* Its `nth` answer, once it has come, names so many engines. */
static void assert_told(struct peer *client, size_t nth, size_t n_engines)
{
	Ipp__Roster *roster;

	turn_until(base, count(client, FRAME_ROSTER) >= nth);
	assert_int_equal(count(client, FRAME_ROSTER), nth);
	roster = peer_message(client, latest(client, FRAME_ROSTER), &ipp__roster__descriptor);
	assert_int_equal(roster->n_engines, n_engines);
	ipp__roster__free_unpacked(roster, NULL);
}

/* As when its time is over. */
static void stays_away(uint32_t rank)
{
	cluster.engines[rank]->awaited_until_us = 1;
	event_active(cluster.returning, EV_TIMEOUT, 1);
	turn_a_while(base);
}

static void all_engines_are_told_once_those_that_were_lost_are_back(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);
	struct peer *first = engine_joins(0), *second = engine_joins(1);

	(void)state;
	leaves(first);
	leaves(second);
	ask_for_all(client);
	engine_joins(1);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ROSTER), 0);
	link_send(client->link, FRAME_ROSTER, NULL, NULL); /* who is there now? */
	assert_told(client, 1, 1);
	engine_joins(0);
	assert_told(client, 2, 2);
	ask_for_all(client);
	assert_told(client, 3, 2);
}

static void an_engine_that_stays_away_is_not_waited_for_again(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(1);

	(void)state;
	engine_joins(0);
	leaves(engine);
	ask_for_all(client);
	apply(client, request, (uint32_t[]){1}, 1);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ROSTER) + count(client, FRAME_RESULTS), 0);
	assert_true(event_pending(cluster.returning, EV_TIMEOUT, NULL));
	stays_away(1);
	assert_told(client, 1, 1);
	assert_lost(client, 0, "engine 1 on n9 was lost and did not come back");
	ask_for_all(client);
	assert_told(client, 2, 1);
	apply(client, request + 1, (uint32_t[]){1}, 1);
	turn_until(base, count(client, FRAME_RESULTS) == 2);
	assert_lost(client, 0, "there is no such engine");
	leaves(engine_joins(1)); /* it has registered: it counts again */
	ask_for_all(client);
	assert_int_equal(count(client, FRAME_ROSTER), 2);
	engine_joins(1);
	assert_told(client, 3, 2);
}

static void engines_of_a_cluster_by_hand_are_not_waited_for(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(1);

	(void)state;
	controller.by_hand = true;
	engine_joins(0);
	leaves(engine);
	ask_for_all(client);
	assert_told(client, 1, 1);
}

static void what_is_for_an_engine_that_is_away_waits_for_it(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Results *results;
	Ipp__Push *pushed;

	(void)state;
	push(client, request, (uint32_t[]){0}, 1, "x", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 1);
	answer_done(engine, request);
	leaves(engine);
	push(client, request + 1, (uint32_t[]){0}, 1, "x", 2);
	results = results_of(client, 2);
	assert_int_equal(results->results[0]->outcome, IPP__OUTCOME__OK);
	ipp__results__free_unpacked(results, NULL);
	apply(client, request + 2, (uint32_t[]){0}, 1);
	turn_a_while(base);
	engine = engine_joins(0);
	turn_until(base, count(engine, FRAME_TASKS) == 1);
	assert_int_equal(count(engine, FRAME_PUSH), 1);
	pushed = peer_message(engine, latest(engine, FRAME_PUSH), &ipp__push__descriptor);
	assert_int_equal(pushed->value->integer, 2);
	answer_done(engine, pushed->request);
	ipp__push__free_unpacked(pushed, NULL);
	answer_one(engine, request + 2, 0, 10);
	turn_until(base, count(client, FRAME_RESULTS) == 3);
	assert_false(engine->closed);
}

static void what_comes_after_a_task_that_was_lost_with_its_engine_waits_for_that(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Condition when = IPP__CONDITION__INIT;
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	apply(client, request, (uint32_t[]){0}, 1);
	assert_given(engine, 1, 0);
	when.ending = IPP__ENDING__BADLY;
	targets.ranks = (uint32_t[]){0};
	targets.n_ranks = 1;
	call.request = request + 1;
	call.targets = &targets;
	call.after = &request;
	call.n_after = 1;
	call.after_if = &when;
	link_send(client->link, FRAME_CALL, &call.base, NULL);
	turn_a_while(base);
	leaves(engine);
	assert_int_equal(count(client, FRAME_RESULTS), 1);
	assert_lost(client, 0, "engine 0 on n9 was lost: its process ended");
	engine = engine_joins(0);
	assert_given(engine, 1, 0);
	answer_one(engine, request + 1, 0, 10);
	turn_until(base, count(client, FRAME_RESULTS) == 2);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_engines_are_told_once_those_that_were_lost_are_back),
		TEST(an_engine_that_stays_away_is_not_waited_for_again),
		TEST(engines_of_a_cluster_by_hand_are_not_waited_for),
		TEST(what_is_for_an_engine_that_is_away_waits_for_it),
		TEST(what_comes_after_a_task_that_was_lost_with_its_engine_waits_for_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
