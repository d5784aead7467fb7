/* controller/dependency.h: requests that wait for others, with a controller and its peers in this
 * process. */
#include <sys/resource.h>

#include "controller/history.h"
#include "tests/unit/controller_peers.h"

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

/* A map of one task that waits for `others`, or follows them, under a condition. */
static void map_if(struct peer *client, uint64_t request, const uint64_t *others, size_t n,
		   bool follow, bool any, Ipp__Ending ending)
{
	Ipp__Condition when = IPP__CONDITION__INIT;
	Ipp__Call call = IPP__CALL__INIT;

	when.any = any;
	when.ending = ending;
	call.request = request;
	if (follow) {
		call.follow = (uint64_t *)others;
		call.n_follow = n;
		call.follow_if = &when;
	} else {
		call.after = (uint64_t *)others;
		call.n_after = n;
		call.after_if = &when;
	}
	call_map(client, &call, 1);
}

static void any_of_several_is_enough(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	const uint64_t others[] = {request, request + 1};

	(void)state;
	apply(client, request, (uint32_t[]){0}, 1);
	apply(client, request + 1, (uint32_t[]){0}, 1);
	map_if(client, request + 2, others, 2, false, true, IPP__ENDING__WELL);
	assert_given(engine, 2, 0);
	answer_failure(engine, request, 0);
	turn_a_while(base);
	assert_state(client, request + 2, "waiting", 0); /* the other may end well yet */
	answer_one(engine, request + 1, 0, 1000);
	assert_given(engine, 3, 0);
	answer_one(engine, request + 2, 0, 1000);
	/* The same when they have all ended. */
	map_if(client, request + 3, others, 2, false, true, IPP__ENDING__WELL);
	assert_given(engine, 4, 0);
}

static void when_none_of_several_is_left_it_never_runs(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	const uint64_t others[] = {request, request + 1};

	(void)state;
	apply(client, request, (uint32_t[]){0}, 1);
	apply(client, request + 1, (uint32_t[]){0}, 1);
	map_if(client, request + 2, others, 2, false, true, IPP__ENDING__WELL);
	assert_given(engine, 2, 0);
	answer_failure(engine, request, 0);
	answer_failure(engine, request + 1, 0);
	assert_ended(client, 1, request + 2,
		     "it was to run after any of 2 requests, and the last of them, 1.2, failed");
	map_if(client, request + 3, others, 2, false, true, IPP__ENDING__WELL);
	assert_ended(client, 2, request + 3, "after any of 2 requests");
}

static void a_map_can_wait_for_a_failure_or_for_any_end(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	apply(client, request, (uint32_t[]){0}, 1);
	map_if(client, request + 1, &request, 1, false, false, IPP__ENDING__BADLY);
	map_if(client, request + 2, &request, 1, false, false, IPP__ENDING__EITHER);
	assert_given(engine, 1, 0);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_TASKS), 1);
	answer_failure(engine, request, 0);
	assert_given(engine, 2, 0);
	answer_one(engine, request + 1, 0, 1000000);
	assert_given(engine, 3, 0);
	answer_one(engine, request + 2, 0, 1000000);
	turn_a_while(base);
	map_if(client, request + 3, (uint64_t[]){request + 1}, 1, false, false, IPP__ENDING__BADLY);
	assert_ended(client, 1, request + 3,
		     "it was to run after request 1.2 had failed, which ended well");
	map_if(client, request + 4, (uint64_t[]){request + 3}, 1, false, false, IPP__ENDING__BADLY);
	assert_given(engine, 4, 0);
}

static void a_map_that_follows_several_runs_where_all_of_them_ran_or_any(void **state)
{
	uint64_t request, first, n;
	struct peer *client = client_joins(&request);
	struct peer *engines[] = {engine_joins(0), engine_joins(1), engine_joins(2)};
	const uint64_t others[] = {request, request + 1};

	(void)state;
	apply(client, request, (uint32_t[]){0, 1}, 2);
	apply(client, request + 1, (uint32_t[]){1, 2}, 2);
	given(engines[1], 2, &first, &n);
	answer_one(engines[0], request, 0, 1000);
	answer_one(engines[1], request, 1, 1000);
	answer_one(engines[1], request + 1, 0, 1000);
	given(engines[2], 1, &first, &n);
	answer_one(engines[2], request + 1, 1, 1000);
	turn_a_while(base);
	map_if(client, request + 2, others, 2, true, false, IPP__ENDING__WELL);
	given(engines[1], 3, &first, &n);
	map_if(client, request + 3, others, 2, true, true, IPP__ENDING__WELL);
	given(engines[0], 2, &first, &n);
	assert_int_equal(count(engines[2], FRAME_TASKS), 1);
}

static void what_waits_too_long_ends_and_says_for_what(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	map(client, request, 1);
	call.request = request + 1;
	call.after = &request;
	call.n_after = 1;
	call.wait_ms = 50;
	call_map(client, &call, 1);
	assert_given(engine, 1, 0);
	assert_ended(client, 1, request + 1,
		     "after request 1.1, which has not ended in the time that --after-timeout");
	answer_one(engine, request, 0, 1000);
	/* Its time is over once it runs. */
	map(client, request + 2, 1);
	call.request = request + 3;
	call.after = (uint64_t[]){request + 2};
	call_map(client, &call, 1);
	assert_given(engine, 2, 0);
	answer_one(engine, request + 2, 0, 1000);
	assert_given(engine, 3, 0);
	usleep(60000);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ENDED), 1);
}

static void how_a_request_ended_is_known_for_long_where_it_ran_is_not(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	const uint64_t first = request;

	(void)state;
	map(client, request, 1);
	assert_given(engine, 1, 0);
	answer_failure(engine, request, 0);
	for (unsigned i = 0; i <= HISTORY_MAX; i++) {
		Ipp__Call call = IPP__CALL__INIT;

		call.request = ++request;
		call_map(client, &call, 0);
	}
	turn_until(base, cluster.history.n_states > 0);
	turn_a_while(base);
	assert_null(history_find(&cluster.history, first));
	map_after(client, ++request, first, false);
	assert_ended(client, 1, request, "after request 1.1, which failed");
	map_if(client, ++request, &first, 1, true, false, IPP__ENDING__BADLY);
	assert_ended(client, 2, request, "where request 1.1 ran, which ended too long ago");
	map_if(client, ++request, &first, 1, false, false, IPP__ENDING__BADLY);
	assert_given(engine, 2, 0);
}

static void a_condition_of_another_version_is_refused(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	map(client, request, 1);
	map_if(client, request + 1, &request, 1, false, false, (Ipp__Ending)7);
	assert_ended(client, 1, request + 1, "a condition that this version does not know");
	map_if(client, request + 2, &request, 1, true, false, (Ipp__Ending)-1);
	assert_ended(client, 2, request + 2, "a condition that this version does not know");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_map_waits_for_those_it_comes_after),
		TEST(a_map_that_follows_runs_where_the_other_ran),
		TEST(a_map_that_may_not_run_where_what_it_follows_ran_ends_at_once),
		TEST(what_comes_after_a_failure_never_runs_nor_what_comes_after_that),
		TEST(a_long_line_of_maps_that_wait_for_each_other_ends_on_a_small_stack),
		TEST(a_dependency_on_what_is_unknown_is_refused),
		TEST(a_client_that_goes_takes_what_depended_on_its_map_along),
		TEST(any_of_several_is_enough),
		TEST(when_none_of_several_is_left_it_never_runs),
		TEST(a_map_can_wait_for_a_failure_or_for_any_end),
		TEST(a_map_that_follows_several_runs_where_all_of_them_ran_or_any),
		TEST(what_waits_too_long_ends_and_says_for_what),
		TEST(how_a_request_ended_is_known_for_long_where_it_ran_is_not),
		TEST(a_condition_of_another_version_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
