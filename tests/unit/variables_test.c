/* controller/variables.h: what was pushed, and engines that come back. */
#include "tests/unit/controller_peers.h"

static void a_push_names_each_target_that_could_not(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	struct peer *dying = engine_joins(1);
	Ipp__Results *results;

	(void)state;
	push(client, request, (uint32_t[]){0, 1, 7}, 3, "x", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 1 && count(dying, FRAME_PUSH) == 1);
	answer_done(engine, request);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_RESULTS), 0);
	leaves(dying);
	results = results_of(client, 1);
	assert_int_equal(results->request, request);
	assert_int_equal(results->n_results, 3);
	assert_int_equal(results->results[0]->outcome, IPP__OUTCOME__OK);
	assert_int_equal(results->results[1]->engine, 1);
	assert_non_null(strstr(results->results[1]->error, "engine 1 on n9 was lost"));
	assert_int_equal(results->results[2]->engine, 7);
	assert_string_equal(results->results[2]->error, "there is no such engine");
	ipp__results__free_unpacked(results, NULL);
}

static void an_engine_that_comes_back_gets_its_variables_and_lives(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	int64_t sum = 0;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		push(client, request + i, (uint32_t[]){0}, 1, i == 1 ? "y" : "x", 1 << i);
		turn_until(base, count(engine, FRAME_PUSH) == i + 1);
		answer_done(engine, request + i);
	}
	ipp__results__free_unpacked(results_of(client, 3), NULL);
	leaves(engine);
	engine = engine_joins(0);
	turn_until(base, count(engine, FRAME_PUSH) == 2);
	turn_a_while(base);
	for (size_t i = 0; i < engine->n; i++) {
		Ipp__Push *again;

		if (engine->frames[i].type != FRAME_PUSH)
			continue;
		again = peer_message(engine, i, &ipp__push__descriptor);
		sum += again->value->integer;
		answer_done(engine, again->request); /* as engines do */
		ipp__push__free_unpacked(again, NULL);
	}
	assert_int_equal(sum, 2 + 4); /* the later x */
	turn_a_while(base);
	assert_false(engine->closed);
	assert_int_equal(count(client, FRAME_RESULTS), 3);
	push(client, request + 3, (uint32_t[]){0}, 1, "z", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 3);
	answer_done(engine, request + 3);
	ipp__results__free_unpacked(results_of(client, 4), NULL);
}

static void says_replaced(struct peer *engine, uint64_t serial)
{
	Ipp__Remove replaced = IPP__REMOVE__INIT;

	replaced.name = (char *)"x";
	replaced.serial = serial;
	link_send(engine->link, FRAME_REMOVE, &replaced.base, NULL);
	turn_a_while(base);
}

static void what_a_function_stored_is_not_replaced_by_what_was_pushed_before(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Push *pushed;

	(void)state;
	push(client, request, (uint32_t[]){0}, 1, "x", 1);
	push(client, request + 1, (uint32_t[]){0}, 1, "y", 2);
	turn_until(base, count(engine, FRAME_PUSH) == 2);
	answer_done(engine, request);
	answer_done(engine, request + 1);
	says_replaced(engine, 1);
	says_replaced(engine, 99); /* which there is not */
	leaves(engine);
	engine = engine_joins(0);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_PUSH), 1);
	pushed = peer_message(engine, latest(engine, FRAME_PUSH), &ipp__push__descriptor);
	assert_string_equal(pushed->value->name, "y");
	ipp__push__free_unpacked(pushed, NULL);
}

static void a_push_that_crosses_what_a_function_stored_stays(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	push(client, request, (uint32_t[]){0}, 1, "x", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 1);
	answer_done(engine, request);
	push(client, request + 1, (uint32_t[]){0}, 1, "x", 2);
	turn_until(base, count(engine, FRAME_PUSH) == 2);
	says_replaced(engine, 1);
	leaves(engine);
	engine = engine_joins(0);
	turn_until(base, count(engine, FRAME_PUSH) == 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_push_names_each_target_that_could_not),
		TEST(an_engine_that_comes_back_gets_its_variables_and_lives),
		TEST(what_a_function_stored_is_not_replaced_by_what_was_pushed_before),
		TEST(a_push_that_crosses_what_a_function_stored_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
