/* The end of a job's time, and of its maps: what Slurm says comes from an ipp-launch of this test's
 * own. */
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>

#include "controller/curfew.h"
#include "controller/request.h"
#include "tests/unit/controller_peers.h"
#include "tests/unit/folder.h"

#define SECOND_US 1000000

static char folder[] = "/tmp/ipp-curfew-XXXXXX";

static void script(const char *file, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs("#!/bin/bash\n", out);
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fclose(out);
	assert_int_equal(chmod(path, 0755), 0);
}

/* The job ends so many seconds from now, as of the next question.  It was asked once its answer has
 * ended. */
static void slurm_says(int seconds)
{
	script("ipp-launch",
	       "[ \"$1 $2\" = '--job-end 7' ] || exit 1\n"
	       "answer=$3\n"
	       "echo %lld 30 >&$answer\n"
	       "exec {answer}>&-\n"
	       "echo >>%s/asked\n",
	       (long long)time(NULL) + seconds, folder);
}

static bool folder_has(const char *file, off_t bytes)
{
	char path[PATH_MAX];
	struct stat found;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	return stat(path, &found) == 0 && found.st_size >= bytes;
}

static bool was_asked(off_t times)
{
	return folder_has("asked", times);
}

static struct peer *client, *engine;
static uint64_t request;

static int set_up(void **state)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/asked", folder);
	unlink(path);
	slurm_says(100000);
	setup(state);
	engine = engine_joins(-1);
	client = client_joins(&request);
	return 0;
}

static void await_answer(off_t times)
{
	turn_until(base, was_asked(times));
	turn_a_while(base);
}

static void assert_drained(struct peer *owner, const char *why)
{
	Ipp__Ended *ended;

	turn_until(base, count(owner, FRAME_ENDED) == 1);
	ended = peer_message(owner, latest(owner, FRAME_ENDED), &ipp__ended__descriptor);
	assert_true(ended->drained);
	if (!strstr(ended->why, why))
		fail_msg("'%s' lacks '%s'", ended->why, why);
	ipp__ended__free_unpacked(ended, NULL);
}

/* Seconds that the client which was drained has, by what it was told. */
static int seconds_left(void)
{
	Ipp__Ended *ended = peer_message(client, latest(client, FRAME_ENDED),
					 &ipp__ended__descriptor);
	int seconds = 0;

	sscanf(ended->why, "the job ends in %d s", &seconds);
	ipp__ended__free_unpacked(ended, NULL);
	return seconds;
}

static void drain(struct peer *who, uint64_t map)
{
	Ipp__Drain message = IPP__DRAIN__INIT;

	message.request = map;
	link_send(who->link, FRAME_DRAIN, &message.base, NULL);
}

/* A map of `n` tasks has begun, and the job is known to end in 1000 s. */
static void begin_map(uint64_t n)
{
	slurm_says(1000);
	map(client, request, n);
	assert_given(engine, 1, 0);
	await_answer(1);
}

static void a_task_that_would_end_after_the_job_is_not_begun(void **state)
{
	(void)state;
	begin_map(3);
	answer_one(engine, request, 0, 900ULL * SECOND_US); /* which leaves 95 s more than that */
	assert_given(engine, 2, 1);
	answer_one(engine, request, 1, 999ULL * SECOND_US);
	assert_drained(client, "and tasks take up to 999 s");
	assert_int_equal(count(engine, FRAME_TASKS), 2);
	assert_int_equal(count(client, FRAME_RESULTS), 2);
}

static void an_engine_is_given_no_more_at_once_than_it_can_end(void **state)
{
	Ipp__Call call = IPP__CALL__INIT;
	uint64_t indices[20], first, n;

	(void)state;
	slurm_says(1000);
	call.request = request;
	call.chunk = 20;
	call_map(client, &call, 40);
	given(engine, 1, &first, &n);
	assert_int_equal(n, 20);
	await_answer(1);
	for (size_t i = 0; i < 20; i++)
		indices[i] = i;
	answer(engine, request, indices, 20, 100ULL * SECOND_US);
	given(engine, 2, &first, &n);
	assert_int_equal(first, 20);
	assert_in_range(n, 5, 9); /* of 100 s each */
}

static void a_job_that_was_given_more_time_goes_on(void **state)
{
	time_t told;

	(void)state;
	begin_map(3);
	told = time(NULL);
	slurm_says(5000);
	turn_until(base, time(NULL) > told + 2); /* that is no longer fresh */
	answer_one(engine, request, 0, 2000ULL * SECOND_US);
	assert_given(engine, 2, 1);
	assert_true(was_asked(2));
}

static void what_still_runs_shortly_before_the_end_is_given_up(void **state)
{
	(void)state;
	slurm_says(8);
	map(client, request, 1);
	assert_given(engine, 1, 0);
	assert_drained(client, "the job ends in");
	assert_in_range(seconds_left(), 1, 5); /* to save what is done */
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
	apply(client, request + 1, (uint32_t[]){0}, 1); /* a direct view's task is begun */
	turn_until(base, count(engine, FRAME_CALL) == 2);
}

static void after_a_signal_nothing_begins_and_what_runs_ends(void **state)
{
	struct peer *other;
	uint64_t others;

	(void)state;
	other = client_joins(&others);
	map(client, request, 2);
	assert_given(engine, 1, 0);
	curfew_fall(&cluster, SIGUSR1);
	map(other, others, 1);
	assert_drained(other, "the job was told to end by SIGUSR1");
	assert_int_equal(count(client, FRAME_ENDED), 0);
	answer_one(engine, request, 0, 1);
	assert_drained(client, "the job was told to end by SIGUSR1");
	assert_int_equal(count(client, FRAME_RESULTS), 1);
	assert_int_equal(count(engine, FRAME_TASKS), 1);
}

static void a_map_whose_last_task_runs_is_let_end(void **state)
{
	(void)state;
	map(client, request, 1);
	assert_given(engine, 1, 0);
	curfew_fall(&cluster, SIGUSR1);
	turn_a_while(base);
	answer_one(engine, request, 0, 1);
	turn_until(base, count(client, FRAME_RESULTS) == 1);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ENDED), 0);
}

static void a_client_drains_its_own_map_alone(void **state)
{
	struct peer *other;
	uint64_t others;

	(void)state;
	other = client_joins(&others);
	map(client, request, 2);
	assert_given(engine, 1, 0);
	map(other, others, 1);
	drain(other, request); /* is not its to say */
	drain(client, request);
	turn_a_while(base);
	answer_one(engine, request, 0, 1);
	assert_drained(client, "it was told to begin nothing more");
	assert_given(engine, 2, 0);
	answer_one(engine, others, 0, 1);
	turn_until(base, count(other, FRAME_RESULTS) == 1);
}

static void a_map_without_items_is_drained_at_once(void **state)
{
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	call.request = request;
	link_send(client->link, FRAME_CALL, &call.base, NULL);
	drain(client, request);
	assert_drained(client, "it was told to begin nothing more");
}

/* The last frame ENDED, of which there are n by now. */
static void assert_drained_too(size_t n, uint64_t which, const char *why)
{
	Ipp__Ended *ended;

	assert_ended(client, n, which, why);
	ended = peer_message(client, latest(client, FRAME_ENDED), &ipp__ended__descriptor);
	assert_true(ended->drained);
	ipp__ended__free_unpacked(ended, NULL);
}

static void what_comes_after_a_drained_map_however_that_was_to_end_is_drained_too(void **state)
{
	Ipp__Condition when = IPP__CONDITION__INIT;
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	map(client, request, 2);
	assert_given(engine, 1, 0);
	call.after = &request;
	call.n_after = 1;
	call.after_if = &when;
	for (int ending = IPP__ENDING__WELL; ending <= IPP__ENDING__EITHER; ending++) {
		when.ending = (Ipp__Ending)ending;
		call.request = request + 1 + (uint64_t)ending;
		call_map(client, &call, 1);
	}
	call.after = (uint64_t[]){request + 1}; /* in turn */
	call.request = request + 4;
	call_map(client, &call, 1);
	drain(client, request);
	turn_a_while(base);
	answer_one(engine, request, 0, 1);
	assert_drained_too(5, request + 4, "it was to run after request 1.2, which was drained");
	call.after = &request; /* ended before */
	call.request = request + 5;
	call_map(client, &call, 1);
	assert_drained_too(6, request + 5, "it was to run after request 1.1, which was drained");
	assert_state(client, request + 5, "drained", 0);
	assert_int_equal(count(engine, FRAME_TASKS), 1);
}

static void who_comes_after_any_of_several_needs_none_that_was_drained(void **state)
{
	Ipp__Condition when = IPP__CONDITION__INIT;
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	map(client, request, 2);
	assert_given(engine, 1, 0);
	apply(client, request + 1, (uint32_t[]){0}, 1);
	apply(client, request + 2, (uint32_t[]){0}, 1);
	when.any = true;
	call.after_if = &when;
	call.n_after = 2;
	call.after = (uint64_t[]){request, request + 1};
	call.request = request + 3;
	call_map(client, &call, 1);
	call.after = (uint64_t[]){request, request + 2};
	call.request = request + 4;
	call_map(client, &call, 1);
	drain(client, request);
	turn_a_while(base);
	answer_one(engine, request, 0, 1);
	assert_drained_too(1, request, "it was told to begin nothing more");
	assert_given(engine, 2, 0);
	answer_failure(engine, request + 1, 0);
	assert_drained_too(2, request + 3, "it was to run after request 1.1, which was drained");
	assert_given(engine, 3, 0);
	answer_one(engine, request + 2, 0, 1);
	assert_given(engine, 4, 0); /* of the second that waited */
}

static void a_task_that_died_of_the_whole_steps_signal_runs_again_at_no_cost(void **state)
{
	Ipp__Result result = IPP__RESULT__INIT;

	(void)state;
	map(client, request, 1); /* without --retries */
	assert_given(engine, 1, 0);
	result.outcome = IPP__OUTCOME__KILLED;
	result.code = SIGTERM;
	result.stray = true;
	answer_with(engine, request, &result, NULL);
	assert_given(engine, 2, 0);
	result.stray = false;
	answer_with(engine, request, &result, NULL);
	turn_until(base, count(client, FRAME_RESULTS) == 2);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_TASKS), 2);
}

static void a_task_that_dies_so_again_and_again_is_given_up(void **state)
{
	Ipp__Result result = IPP__RESULT__INIT;
	const size_t runs = 17; /* the first, and 16 more */

	(void)state;
	map(client, request, 1);
	result.outcome = IPP__OUTCOME__KILLED;
	result.code = SIGTERM;
	result.stray = true;
	for (size_t i = 1; i <= runs; i++) {
		assert_given(engine, i, 0);
		answer_with(engine, request, &result, NULL);
	}
	turn_until(base, count(client, FRAME_RESULTS) == runs);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_TASKS), runs);
}

static void slurm_is_asked_again_when_it_did_not_answer(void **state)
{
	(void)state;
	script("ipp-launch", "echo >>%s/failed\nexit 1\n", folder);
	map(client, request, 2);
	assert_given(engine, 1, 0);
	turn_until(base, folder_has("failed", 1));
	slurm_says(1000);
	await_answer(1);
	answer_one(engine, request, 0, 999ULL * SECOND_US);
	assert_drained(client, "and tasks take up to 999 s");
}

static void an_answer_that_takes_its_time_is_fresh_when_it_comes(void **state)
{
	time_t told;

	(void)state;
	begin_map(2);
	told = time(NULL);
	script("ipp-launch", "/bin/sleep 2.5\necho %lld 30 >&$3\n", (long long)told + 1000);
	turn_until(base, time(NULL) > told + 2); /* the first one is no longer */
	answer_one(engine, request, 0, 999ULL * SECOND_US);
	assert_drained(client, "and tasks take up to 999 s");
}

static void a_map_that_can_begin_nothing_ends_though_another_is_served_first(void **state)
{
	uint64_t other;
	struct peer *second = client_joins(&other);

	(void)state;
	slurm_says(1000);
	map(second, other, 5);
	assert_given(engine, 1, 0);
	await_answer(1);
	map(client, request, 3);
	answer_one(engine, other, 0, SECOND_US);
	assert_given(engine, 2, 0); /* the map that came later */
	answer_one(engine, request, 0, 999ULL * SECOND_US);
	assert_drained(client, "and tasks take up to 999 s");
	assert_int_equal(count(second, FRAME_ENDED), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_that_would_end_after_the_job_is_not_begun),
		TEST(an_engine_is_given_no_more_at_once_than_it_can_end),
		TEST(a_job_that_was_given_more_time_goes_on),
		TEST(what_still_runs_shortly_before_the_end_is_given_up),
		TEST(after_a_signal_nothing_begins_and_what_runs_ends),
		TEST(a_map_whose_last_task_runs_is_let_end),
		TEST(a_client_drains_its_own_map_alone),
		TEST(a_map_without_items_is_drained_at_once),
		TEST(what_comes_after_a_drained_map_however_that_was_to_end_is_drained_too),
		TEST(who_comes_after_any_of_several_needs_none_that_was_drained),
		TEST(a_task_that_died_of_the_whole_steps_signal_runs_again_at_no_cost),
		TEST(a_task_that_dies_so_again_and_again_is_given_up),
		TEST(slurm_is_asked_again_when_it_did_not_answer),
		TEST(an_answer_that_takes_its_time_is_fresh_when_it_comes),
		TEST(a_map_that_can_begin_nothing_ends_though_another_is_served_first),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	script("ipp-run", "\n"); /* the others are looked for beside it */
	setenv("PATH", folder, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return folder_remove(folder) == 0 ? failed : 1;
}
