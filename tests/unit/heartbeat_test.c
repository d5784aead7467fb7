/* Engines that fall silent, and those that only seem to. */
#include <poll.h>

#include "controller/engine.h"
#include "controller/heartbeat.h"
#include "tests/unit/controller_peers.h"

#define PERIOD_MS 20

static struct heartbeat *heartbeat;

static int setup_watched(void **state)
{
	setup(state);
	heartbeat = heartbeat_start(&cluster, PERIOD_MS);
	return heartbeat ? 0 : -1;
}

static int teardown_watched(void **state)
{
	heartbeat_stop(heartbeat);
	return teardown(state);
}

/* A frame from the engine that asks for nothing. */
static void say_something(struct peer *engine)
{
	Ipp__Health health = IPP__HEALTH__INIT;

	link_send(engine->link, FRAME_HEALTH, &health.base, NULL);
}

static void a_silent_engine_is_probed_then_lost_and_its_tasks_go_elsewhere(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *silent = engine_joins(0);
	Ipp__Notice *notice;
	struct peer *other;

	(void)state;
	map(client, request, 1);
	turn_until(base, count(silent, FRAME_TASKS) == 1);
	turn_until(base, count(silent, FRAME_PROBE) == 1);
	turn_until(base, silent->closed);
	turn_until(base, count(client, FRAME_NOTICE) == 2);
	notice = peer_message(client, latest(client, FRAME_NOTICE) - 1, &ipp__notice__descriptor);
	assert_string_equal(notice->text,
			    "engine 0 on n9 was lost: it has been silent for 0.08 s; is it "
			    "stopped?; its 1 tasks go elsewhere");
	ipp__notice__free_unpacked(notice, NULL);
	assert_noticed(client, "nothing is heard of n9 any more");
	other = engine_joins(1);
	turn_until(base, count(other, FRAME_TASKS) == 1);
}

static void an_engine_that_answers_its_probes_lives(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *busy = engine_joins(0);

	(void)state;
	map(client, request, 1);
	for (size_t n = 1; n <= 3 * HEARTBEAT_PERIODS; n++) {
		turn_until(base, count(busy, FRAME_PROBE) == n);
		say_something(busy);
	}
	assert_false(busy->closed);
}

/* As one that is asked for tasks back and has none to give, with a worker that is stopped. */
static void an_engine_that_speaks_and_ends_no_task_is_probed_as_well(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	map(client, request, 1);
	turn_until(base, count(engine, FRAME_TASKS) == 1);
	turn_until(base, (say_something(engine), count(engine, FRAME_PROBE) >= 2));
	assert_false(engine->closed);
}

static void an_engine_that_owes_nothing_is_left_in_peace(void **state)
{
	struct peer *idle = engine_joins(0), *busy = engine_joins(1);
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	apply(client, request, (uint32_t[]){1}, 1);
	turn_until(base, busy->closed);
	assert_int_equal(count(idle, FRAME_PROBE), 0);
	assert_false(idle->closed);
}

static void a_controller_that_was_stopped_charges_nobody(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	map(client, request, 1);
	for (size_t n = 1; n <= 3 * HEARTBEAT_PERIODS; n++) {
		turn_until(base, count(engine, FRAME_PROBE) == n);
		poll(NULL, 0, 3 * PERIOD_MS);
	}
	assert_false(engine->closed);
}

static void an_engine_that_does_not_say_that_it_stopped_a_task_is_lost(void **state)
{
	uint64_t request, theirs;
	struct peer *client = client_joins(&request), *other = client_joins(&theirs);
	struct peer *silent = engine_joins(0);

	(void)state;
	map(client, request, 1);
	turn_until(base, count(silent, FRAME_TASKS) == 1);
	cancel(other, request);
	turn_until(base, silent->closed);
	turn_until(base, count(other, FRAME_FINISHED) == 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_watched, teardown_watched)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_silent_engine_is_probed_then_lost_and_its_tasks_go_elsewhere),
		TEST(an_engine_that_answers_its_probes_lives),
		TEST(an_engine_that_speaks_and_ends_no_task_is_probed_as_well),
		TEST(an_engine_that_owes_nothing_is_left_in_peace),
		TEST(a_controller_that_was_stopped_charges_nobody),
		TEST(an_engine_that_does_not_say_that_it_stopped_a_task_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
