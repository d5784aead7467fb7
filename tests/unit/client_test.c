/* libipp: requests of one client and of several, on a cluster of two engines on this machine. */
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ipp/client.h>

/* Last: its fail() is a macro. */
#include <cmocka.h>

#define PATIENCE_MS 20000

static char home[] = "/tmp/ipp-client-XXXXXX";
static char programs[4096]; /* the folder of this one */
static struct ipp_client *client;
static struct ipp_error err;

static void must(int rc)
{
	if (rc < 0)
		fail_msg("%s", err.text);
}

static struct ipp_client *connect_client(void)
{
	const struct ipp_connect options = {.local_engines = 0};
	struct ipp_client *one = NULL;

	must(ipp_connect(&one, &options, &err));
	return one;
}

static int setup_cluster(void **state)
{
	const ssize_t n = readlink("/proc/self/exe", programs, sizeof(programs) - 1);
	char path[2 * sizeof(programs)];

	(void)state;
	programs[n > 0 ? n : 0] = '\0';
	*strrchr(programs, '/') = '\0';
	snprintf(path, sizeof(path), "%s/..:%s", programs, getenv("PATH"));
	setenv("PATH", path, 1);
	unsetenv("IPP_CONNECT");
	unsetenv("SLURM_JOB_ID");
	if (!mkdtemp(home) || setenv("HOME", home, 1) < 0 || ipp_start(2, 0, &err) < 0) {
		fprintf(stderr, "# %s\n", err.text);
		return -1;
	}
	client = connect_client();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int teardown_cluster(void **state)
{
	(void)state;
	if (client)
		ipp_stop(client, &err);
	ipp_disconnect(client);
	return nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- what is run ---- */

struct range {
	int64_t next, end;
	uint64_t n_asked;
};

static int next_integer(void *owner, struct ipp_value *item)
{
	struct range *range = owner;

	range->n_asked++;
	if (range->next == range->end)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = range->next++};
	return 1;
}

static const char *sample(const char *name)
{
	static char function[sizeof(programs) + 64];

	snprintf(function, sizeof(function), "%s/modules/sample.so:%s", programs, name);
	return function;
}

static struct ipp_run squares(struct range *range)
{
	return (struct ipp_run){.function = sample("square"), .next = next_integer, .owner = range};
}

static struct ipp_request *submit(const struct ipp_run *run)
{
	struct ipp_request *request = NULL;

	must(ipp_submit(client, run, &request, &err));
	return request;
}

static const struct ipp_result *next(struct ipp_request *request)
{
	const struct ipp_result *result = NULL;
	const int rc = ipp_next(request, PATIENCE_MS, &result, &err);

	must(rc);
	return rc ? result : NULL;
}

/* ---- tests ---- */

static void several_maps_and_an_apply_run_at_the_same_time(void **state)
{
	static const char *const command[] = {"echo", "here", NULL};
	const uint32_t targets[] = {1, 0};
	struct range one = {.end = 3000}, other = {.end = 2000};
	const struct ipp_run a = squares(&one), b = squares(&other),
			     c = {.argv = command, .targets = targets, .n_targets = 2};
	struct ipp_request *const requests[] = {submit(&a), submit(&b), submit(&c)};
	const struct ipp_result *result;

	(void)state;
	for (int64_t i = 0; i < 3000; i++) {
		for (int k = 0; k < (i < 2000 ? 2 : 1); k++) {
			result = next(requests[k]);
			assert_int_equal(result->index, i);
			assert_int_equal(result->value.integer, i * i);
		}
	}
	for (uint64_t i = 0; i < 2; i++) {
		result = next(requests[2]);
		assert_int_equal(result->index, i);
		assert_int_equal(result->engine, targets[i]);
		assert_memory_equal(result->out, "here\n", result->out_bytes);
	}
	for (int k = 0; k < 3; k++) {
		assert_null(next(requests[k]));
		assert_int_equal(ipp_wait(requests[k], 0, &err), 0);
		ipp_request_free(requests[k]);
	}
}

static void a_result_tells_where_and_when_it_came_about(void **state)
{
	struct range range = {.end = 1};
	const struct ipp_run run = squares(&range);
	struct ipp_request *request = submit(&run);
	const struct ipp_result *result = next(request);
	char host[256] = "";

	(void)state;
	gethostname(host, sizeof(host) - 1);
	assert_string_equal(result->host, host);
	assert_true(result->engine < 2);
	assert_true(result->submitted_us > 0 && result->submitted_us <= result->started_us);
	assert_int_equal(result->outcome, IPP_OK);
	assert_int_equal(result->tries, 0);
	assert_string_equal(result->error, "");
	ipp_request_free(request);
}

/* Item 0 waits until the result of item 1 was taken. */
static void unordered_results_come_as_tasks_finish(void **state)
{
	char gate[sizeof(home) + 16];
	const char *const command[] = {"sh", "-c", "test $1 = 1 || cat $2", "sh", "{}", gate, NULL};
	struct range range = {.end = 2};
	const struct ipp_run run = {
		.argv = command, .next = next_integer, .owner = &range, .unordered = true};
	struct ipp_request *request;
	FILE *out;

	(void)state;
	snprintf(gate, sizeof(gate), "%s/gate", home);
	assert_int_equal(mkfifo(gate, 0600), 0);
	request = submit(&run);
	assert_int_equal(next(request)->index, 1);
	out = fopen(gate, "we");
	assert_non_null(out);
	fclose(out);
	assert_int_equal(next(request)->index, 0);
	assert_null(next(request));
	ipp_request_free(request);
}

static void a_window_bounds_what_is_asked_for_and_not_taken(void **state)
{
	struct range range = {.end = 1000};
	struct ipp_run run = squares(&range);
	struct ipp_request *request;

	(void)state;
	for (int unordered = 0; unordered < 2; unordered++) {
		range = (struct range){.end = 1000};
		run.window = 8;
		run.unordered = unordered;
		request = submit(&run);
		assert_int_equal(ipp_wait(request, PATIENCE_MS, &err), -EDEADLK);
		assert_non_null(strstr(err.text, "take them with ipp_next()"));
		assert_int_equal(range.n_asked, 8);
		for (uint64_t taken = 0; taken < 1000; taken++) {
			assert_non_null(next(request));
			assert_true(range.n_asked <= taken + 9);
		}
		assert_null(next(request));
		ipp_request_free(request);
	}
}

static void without_a_window_all_results_wait_to_be_taken(void **state)
{
	struct range range = {.end = 100000};
	const struct ipp_run run = squares(&range);
	struct ipp_request *request = submit(&run);

	(void)state;
	must(ipp_wait(request, PATIENCE_MS, &err));
	for (int64_t i = 0; i < 100000; i++)
		assert_int_equal(next(request)->value.integer, i * i);
	assert_null(next(request));
	ipp_request_free(request);
}

static void count_one(void *owner, const struct ipp_result *result)
{
	struct range *range = owner;

	assert_string_not_equal(result->host, "");
	range->n_asked += (uint64_t)result->value.integer;
}

static void the_rest_of_the_results_is_given_once(void **state)
{
	struct range range = {.end = 10};
	struct ipp_run run = squares(&range);

	(void)state;
	for (int unordered = 0; unordered < 2; unordered++) {
		struct ipp_request *request;
		uint64_t first;

		range = (struct range){.end = 10};
		run.unordered = unordered;
		request = submit(&run);
		must(ipp_wait(request, PATIENCE_MS, &err));
		first = (uint64_t)next(request)->value.integer;
		range.n_asked = 0;
		must(ipp_take_rest(request, count_one, &err));
		assert_int_equal(first + range.n_asked, 285);
		assert_null(next(request));
		must(ipp_take_rest(request, count_one, &err));
		assert_int_equal(first + range.n_asked, 285);
		ipp_request_free(request);
	}
}

static const char *const forever[] = {"sleep", "1000", NULL};
static const uint32_t first_engine[] = {0};
static const struct ipp_run sleeper = {.argv = forever, .targets = first_engine, .n_targets = 1};

static void a_wait_that_times_out_leaves_the_request_running(void **state)
{
	struct ipp_request *request = submit(&sleeper);
	const struct ipp_result *result;

	(void)state;
	assert_int_equal(ipp_wait(request, 1, &err), -ETIMEDOUT);
	assert_int_equal(ipp_next(request, 0, &result, &err), -ETIMEDOUT);
	assert_false(ipp_poll(request));
	ipp_cancel(request);
	assert_true(ipp_poll(request));
	assert_int_equal(ipp_wait(request, -1, &err), -ECANCELED);
	assert_int_equal(ipp_next(request, -1, &result, &err), -ECANCELED);
	ipp_request_free(request);
}

static void a_request_that_is_freed_leaves_its_engines_to_others(void **state)
{
	static const char *const command[] = {"true", NULL};
	const struct ipp_run run = {.argv = command, .targets = first_engine, .n_targets = 1};
	struct ipp_request *request;

	(void)state;
	ipp_request_free(submit(&sleeper));
	request = submit(&run);
	must(ipp_wait(request, PATIENCE_MS, &err));
	ipp_request_free(request);
}

static void an_interrupt_ends_the_wait_and_not_the_request(void **state)
{
	struct ipp_request *request = submit(&sleeper);

	(void)state;
	ipp_interrupt(client);
	assert_int_equal(ipp_wait(request, PATIENCE_MS, &err), -EINTR);
	assert_int_equal(ipp_wait(request, 1, &err), -ETIMEDOUT);
	ipp_request_free(request);
	ipp_interrupt(client);
	assert_int_equal(ipp_run(client, &sleeper, &err), -EINTR);
}

static int stop_at_third(void *owner, const struct ipp_result *result)
{
	(void)owner;
	return result->index == 2;
}

static int next_fails(void *owner, struct ipp_value *item)
{
	(void)owner;
	(void)item;
	snprintf(err.text, sizeof(err.text), "I have no items");
	return -EIO;
}

static void callbacks_can_stop_a_run(void **state)
{
	struct range range = {.end = 100};
	struct ipp_run run = squares(&range);

	(void)state;
	run.done = stop_at_third;
	assert_int_equal(ipp_run(client, &run, &err), -ECANCELED);
	run.done = NULL;
	run.next = next_fails;
	assert_int_equal(ipp_run(client, &run, &err), -EIO);
	assert_string_equal(err.text, "I have no items");
}

static void a_program_with_a_loop_of_its_own_polls_and_dispatches(void **state)
{
	struct range range = {.end = 10000};
	const struct ipp_run run = squares(&range);
	struct ipp_request *request = submit(&run);

	(void)state;
	while (!ipp_poll(request)) {
		struct pollfd on = {0};

		on.fd = ipp_fd(client, &on.events);
		assert_true(on.fd >= 0);
		assert_int_equal(poll(&on, 1, PATIENCE_MS), 1);
		ipp_dispatch(client);
	}
	must(ipp_wait(request, 0, &err));
	ipp_request_free(request);
}

static void arguments_may_be_arrays(void **state)
{
	const double u[] = {1, 2, 3}, v[] = {10};
	const uint64_t shapes[] = {3, 1};
	const struct ipp_argument arguments[] = {
		{.name = "odd",
		 .value = {.kind = IPP_ARRAY,
			   .dtype = "|u1",
			   .shape = &shapes[0],
			   .n_dims = 1,
			   .data = "123",
			   .bytes = 3}},
		{.name = "u",
		 .value = {.kind = IPP_ARRAY,
			   .dtype = "<f8",
			   .shape = &shapes[0],
			   .n_dims = 1,
			   .data = u,
			   .bytes = sizeof(u)}},
		{.name = "v",
		 .value = {.kind = IPP_ARRAY,
			   .dtype = "<f8",
			   .shape = &shapes[1],
			   .n_dims = 1,
			   .data = v,
			   .bytes = sizeof(v)}},
	};
	struct range range = {.next = 2, .end = 3};
	struct ipp_run run = squares(&range);
	struct ipp_request *request;
	const struct ipp_result *result;

	(void)state;
	run.function = sample("weigh");
	run.arguments = arguments;
	run.n_arguments = 3;
	request = submit(&run);
	result = next(request);
	assert_string_equal(result->error, "");
	assert_true(result->value.real == 32);
	ipp_request_free(request);
}

static void items_may_be_rows_of_the_first_argument_in_any_order(void **state)
{
	const double data[] = {1.5, 2.5, 3.5, 4.5};
	const uint64_t shape[] = {4};
	const struct ipp_argument rows = {.name = "rows",
					  .value = {.kind = IPP_ARRAY,
						    .dtype = "<f8",
						    .shape = shape,
						    .n_dims = 1,
						    .data = data,
						    .bytes = sizeof(data)}};
	struct range range = {.next = 2, .end = 5};
	struct ipp_run run = squares(&range);
	struct ipp_request *request;

	(void)state;
	run.function = sample("itself");
	run.arguments = &rows;
	run.n_arguments = 1;
	run.rows = true;
	request = submit(&run);
	assert_true(next(request)->value.real == 3.5);
	assert_true(next(request)->value.real == 4.5);
	assert_string_equal(next(request)->error,
			    "its item '4' is none of the 4 rows of its array");
	ipp_request_free(request);
}

static void a_variable_of_the_wrong_type_is_told_by_the_function(void **state)
{
	const int32_t numbers[] = {1, 2};
	const uint64_t shape = 2;
	const struct ipp_value v = {.kind = IPP_ARRAY,
				    .dtype = "<i4",
				    .shape = &shape,
				    .n_dims = 1,
				    .data = numbers,
				    .bytes = sizeof(numbers)};
	const struct ipp_run run = {
		.function = sample("sum"), .targets = first_engine, .n_targets = 1};
	const struct ipp_result *result;
	struct ipp_request *request;

	(void)state;
	must(ipp_push(client, first_engine, 1, "v", &v, &err));
	request = submit(&run);
	result = next(request);
	assert_int_equal(result->outcome, IPP_ERROR);
	assert_string_equal(result->error, "v is no array of doubles, <f8");
	ipp_request_free(request);
}

static void another_client_can_cancel_it_and_this_one_is_told(void **state)
{
	struct ipp_client *other = connect_client();
	struct ipp_request *request = submit(&sleeper);

	(void)state;
	assert_int_equal(ipp_wait(request, 1, &err), -ETIMEDOUT);
	must(ipp_cancel_request(other, ipp_request_id(request), &err));
	assert_int_equal(ipp_wait(request, PATIENCE_MS, &err), -ESHUTDOWN);
	assert_ptr_equal(strstr(err.text, "it was cancelled by client "), err.text);
	ipp_request_free(request);
	ipp_disconnect(other);
}

static void a_detached_request_outlives_its_client(void **state)
{
	struct ipp_client *other = connect_client(), *ours = client;
	struct range range = {.end = 5000};
	struct ipp_run run = squares(&range);
	const struct ipp_request_info *list;
	struct ipp_request *request;
	uint64_t id;
	size_t n, i;

	(void)state;
	run.detached = true;
	client = other;
	request = submit(&run);
	id = ipp_request_id(request);
	must(ipp_wait(request, PATIENCE_MS, &err));
	ipp_request_free(request);
	ipp_disconnect(other);
	client = ours;
	do {
		must(ipp_requests(client, &list, &n, &err));
		for (i = 0; i < n && list[i].id != id; i++)
			;
		assert_true(i < n);
	} while (strcmp(list[i].state, "running") == 0 || strcmp(list[i].state, "waiting") == 0);
	assert_string_equal(list[i].state, "done");
	assert_int_equal(list[i].done, 5000);
}

/* ---- errands ---- */

static const uint32_t both[] = {1, 0};

static struct ipp_request *errand(enum ipp_work what, const char *name,
				  const struct ipp_value *value)
{
	const struct ipp_errand one = {
		.what = what, .targets = both, .n_targets = 2, .name = name, .value = value};
	struct ipp_request *request = NULL;

	must(ipp_submit_errand(client, &one, &request, &err));
	return request;
}

static void await_and_free(struct ipp_request *request)
{
	must(ipp_wait(request, PATIENCE_MS, &err));
	ipp_request_free(request);
}

static void an_array_is_scattered_and_gathered_without_waiting(void **state)
{
	const double numbers[] = {1, 2, 3, 4, 5};
	const uint64_t shape = 5;
	const struct ipp_value whole = {.kind = IPP_ARRAY,
					.dtype = "<f8",
					.shape = &shape,
					.n_dims = 1,
					.data = numbers,
					.bytes = sizeof(numbers)};
	const struct ipp_value one = {.kind = IPP_INTEGER, .integer = 1};
	struct ipp_request *scattered = errand(IPP_SCATTER, "parts", &whole);
	struct ipp_request *gathered = errand(IPP_GATHER, "parts", NULL);
	struct ipp_request *pushed = errand(IPP_PUSH, "parts", &one);
	struct ipp_gathered joined;

	(void)state;
	must(ipp_join(gathered, &joined, &err));
	assert_int_equal(joined.value.bytes, sizeof(numbers));
	assert_memory_equal(joined.value.data, numbers, sizeof(numbers));
	ipp_gathered_free(&joined);
	assert_int_equal(ipp_join(gathered, &joined, &err), -EINVAL);
	ipp_request_free(gathered);
	await_and_free(scattered);
	while (!ipp_poll(pushed))
		;
	await_and_free(pushed);
	gathered = errand(IPP_GATHER, "parts", NULL);
	assert_int_equal(ipp_join(gathered, &joined, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'parts' of engine 1: is a single value"));
	ipp_request_free(gathered);
	await_and_free(errand(IPP_REMOVE, "parts", NULL));
}

static void values_and_lists_are_taken_in_the_order_of_the_targets(void **state)
{
	const struct ipp_value one = {.kind = IPP_INTEGER, .integer = 1};
	const struct ipp_result *result;
	struct ipp_request *pulled, *listed;

	(void)state;
	must(ipp_push(client, first_engine, 1, "only", &one, &err));
	pulled = errand(IPP_PULL, "only", NULL);
	listed = errand(IPP_LIST, NULL, NULL);
	result = next(pulled);
	assert_int_equal(result->engine, 1);
	assert_int_equal(result->outcome, IPP_ERROR);
	assert_int_equal(result->code, ENOENT);
	result = next(pulled);
	assert_int_equal(result->engine, 0);
	assert_int_equal(result->value.integer, 1);
	assert_int_equal(ipp_next(pulled, PATIENCE_MS, &result, &err), -ENOENT);
	assert_int_equal(ipp_wait(pulled, PATIENCE_MS, &err), -ENOENT);
	assert_non_null(strstr(err.text, "engine 1 has no variable 'only'"));
	ipp_request_free(pulled);
	assert_int_equal(next(listed)->engine, 1);
	result = next(listed);
	assert_int_equal(result->engine, 0);
	for (size_t i = 0; i < result->n_variables; i++)
		if (strcmp(result->variables[i].name, "only") == 0)
			assert_int_equal(result->variables[i].value.integer, 1);
	assert_true(result->n_variables > 0);
	ipp_request_free(listed);
	must(ipp_remove(client, first_engine, 1, "only", &err));
}

static void a_pull_that_waits_can_be_cancelled(void **state)
{
	struct ipp_request *busy = submit(&sleeper), *pulled = errand(IPP_PULL, "v", NULL);

	(void)state;
	assert_int_equal(ipp_wait(pulled, 1, &err), -ETIMEDOUT);
	ipp_cancel(pulled);
	assert_int_equal(ipp_wait(pulled, PATIENCE_MS, &err), -ECANCELED);
	ipp_request_free(pulled);
	ipp_request_free(busy);
}

static void an_errand_that_makes_no_sense_is_refused(void **state)
{
	struct ipp_errand one = {.what = IPP_RUN, .targets = both, .n_targets = 2, .name = "x"};
	struct ipp_request *request;

	(void)state;
	assert_int_equal(ipp_submit_errand(client, &one, &request, &err), -EINVAL);
	one = (struct ipp_errand){.what = IPP_PULL, .name = "x"};
	assert_int_equal(ipp_submit_errand(client, &one, &request, &err), -EINVAL);
	assert_non_null(strstr(err.text, "give targets"));
	one = (struct ipp_errand){.what = IPP_PULL, .targets = both, .n_targets = 2, .name = "1x"};
	assert_int_equal(ipp_submit_errand(client, &one, &request, &err), -EINVAL);
	one.name = NULL;
	assert_int_equal(ipp_submit_errand(client, &one, &request, &err), -EINVAL);
	assert_non_null(strstr(err.text, "has no name"));
	one = (struct ipp_errand){.what = IPP_PUSH, .targets = both, .n_targets = 2, .name = "x"};
	assert_int_equal(ipp_submit_errand(client, &one, &request, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'x' has no value"));
	one.what = IPP_SCATTER;
	assert_int_equal(ipp_submit_errand(client, &one, &request, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'x' has no value"));
	one.what = IPP_PUSH;
	one.value = &(struct ipp_value){.kind = IPP_TEXT, .text = "a\0b", .bytes = 3};
	assert_int_equal(ipp_submit_errand(client, &one, &request, &err), -EINVAL);
	assert_non_null(strstr(err.text, "a text of 3 bytes with a NUL among them, at 1"));
}

struct counted {
	uint64_t n, stop_at;
};

static int count_in_order(void *owner, const struct ipp_result *result)
{
	struct counted *counted = owner;

	assert_int_equal(result->index, counted->n);
	return ++counted->n == counted->stop_at;
}

static void a_fetch_that_was_stopped_is_begun_again_from_the_beginning(void **state)
{
	struct range range = {.end = 100000}, own = {.end = 1000};
	struct ipp_run run = squares(&range);
	const struct ipp_run other = squares(&own);
	struct ipp_request *request, *beside = submit(&other);
	struct ipp_fetched fetched;
	uint64_t id;

	(void)state;
	run.detached = true;
	request = submit(&run);
	id = ipp_request_id(request);
	must(ipp_wait(request, PATIENCE_MS, &err));
	for (uint64_t stop_at = 1; stop_at < 100000; stop_at *= 10) {
		struct counted counted = {.stop_at = stop_at};
		const struct ipp_fetch some = {.done = count_in_order, .owner = &counted};

		assert_int_equal(ipp_fetch(client, id, &some, &fetched, &err), -ECANCELED);
	}
	for (int heads = 0; heads <= 1; heads++) {
		struct counted counted = {0};
		const struct ipp_fetch all = {
			.done = count_in_order, .owner = &counted, .heads = heads};

		must(ipp_fetch(client, id, &all, &fetched, &err));
		assert_int_equal(counted.n, 100000);
	}
	ipp_request_free(request);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(next(beside)->index, i);
	ipp_request_free(beside);
}

static void assert_refused(const struct ipp_run *run, int code, const char *why)
{
	struct ipp_request *request = NULL;

	assert_int_equal(ipp_submit(client, run, &request, &err), code);
	if (!strstr(err.text, why))
		fail_msg("'%s' lacks '%s'", err.text, why);
}

static void what_makes_no_sense_is_refused_before_anything_is_sent(void **state)
{
	const struct ipp_argument nothing = {.name = "w"};
	const struct ipp_argument number = {.name = "n", .value = {.kind = IPP_INTEGER}};
	struct range range = {.end = 1};
	struct ipp_run run = {.function = "forest.so:loo"};

	(void)state;
	assert_refused(&run, -EINVAL, "give targets, or next()");
	run = squares(&range);
	run.function = "./none.so:f";
	assert_refused(&run, -ENOENT, "cannot read the module ./none.so: No such file");
	run.function = "/etc/passwd:f";
	assert_refused(&run, -ENOEXEC, "/etc/passwd is no shared object");
	run.function = "/tmp:f";
	assert_refused(&run, -ENOEXEC, "/tmp is no shared object");
	run.function = "square";
	assert_refused(&run, -EINVAL, "write MODULE.so:NAME");
	run = squares(&range);
	run.arguments = &nothing;
	run.n_arguments = 1;
	assert_refused(&run, -EINVAL, "'w' has no value");
	run.rows = true;
	run.arguments = &number;
	assert_refused(&run, -EINVAL, "n: has no rows to be items");
	run.n_arguments = 0;
	assert_refused(&run, -EINVAL, "rows are items of a map of a function, whose first arg");
	assert_int_equal(range.n_asked, 0);
}

static void a_cluster_can_be_named_by_its_connection_file(void **state)
{
	char path[512], host[256] = "";
	struct ipp_connect options = {.cluster = path};
	struct ipp_client *other = NULL;
	const struct ipp_engine *engines;
	size_t n;

	(void)state;
	gethostname(host, sizeof(host) - 1);
	snprintf(path, sizeof(path), "file:%s/.slurm-ipp/local-%s.json", home, host);
	must(ipp_connect(&other, &options, &err));
	must(ipp_engines(other, &engines, &n, &err));
	assert_int_equal(n, 2);
	ipp_disconnect(other);
	options.cluster = path + strlen("file:");
	must(ipp_connect(&other, &options, &err));
	ipp_disconnect(other);
	options.cluster = "unix:@slurm-ipp/local/nobody";
	assert_int_equal(ipp_connect(&other, &options, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "no controller answers at unix:@slurm-ipp/local/nobody"));
	assert_int_equal(ipp_start(1, 0, &err), -EEXIST);
}

/* Last: it ends the cluster. */
static void the_end_of_the_cluster_ends_all_requests(void **state)
{
	struct ipp_client *other = connect_client();
	struct ipp_request *const requests[] = {submit(&sleeper), submit(&sleeper)};
	short events;

	(void)state;
	must(ipp_stop(other, &err));
	ipp_disconnect(other);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ipp_wait(requests[i], PATIENCE_MS, &err), -ECONNRESET);
		assert_non_null(strstr(err.text, "lost the controller"));
		ipp_request_free(requests[i]);
	}
	assert_int_equal(ipp_fd(client, &events), -1);
	assert_refused(&sleeper, -ECONNRESET, "lost the controller");
}

/* Items below `end`, of which all but every `step`-th are known. */
struct remembered {
	int64_t next, end, step;
	uint64_t n_known, n_done, n_arrived;
	uint64_t last; /* index that was told last, plus 1 */
	bool in_order;
};

static int next_or_known(void *owner, struct ipp_value *item)
{
	struct remembered *all = owner;

	if (all->next == all->end)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = all->next++};
	return all->step && item->integer % all->step == 0 ? 1 : 2;
}

static void told(struct remembered *all, uint64_t index)
{
	all->in_order &= index == all->last;
	all->last = index + 1;
}

static int is_known(void *owner, uint64_t index)
{
	struct remembered *all = owner;

	told(all, index);
	all->n_known++;
	return 0;
}

static int has_arrived(void *owner, const struct ipp_result *result)
{
	struct remembered *all = owner;

	assert_int_equal(result->value.integer, result->index * result->index);
	assert_int_equal(result->index % (uint64_t)all->step, 0);
	all->n_arrived++;
	return 0;
}

static int is_done(void *owner, const struct ipp_result *result)
{
	struct remembered *all = owner;

	told(all, result->index);
	assert_true(all->n_done < all->n_arrived);
	all->n_done++;
	return 0;
}

static void run_remembered(struct remembered *all, bool unordered)
{
	struct ipp_run run = {.function = sample("square"),
			      .next = next_or_known,
			      .known = is_known,
			      .arrived = has_arrived,
			      .done = is_done,
			      .unordered = unordered,
			      .owner = all};

	all->in_order = true;
	must(ipp_run(client, &run, &err));
	assert_true(unordered || all->in_order);
	assert_int_equal(all->n_known + all->n_done, all->end);
	assert_int_equal(all->n_arrived, all->n_done);
}

static void items_whose_results_are_known_are_told_in_their_turn(void **state)
{
	const int64_t many = 200000; /* more than are outstanding at a time */

	(void)state;
	for (int unordered = 0; unordered <= 1; unordered++) {
		struct remembered some = {.end = many, .step = 1000};
		struct remembered half = {.end = 1000, .step = 2};
		struct remembered none = {.end = many};
		struct remembered empty = {.end = 0};

		run_remembered(&some, unordered);
		assert_int_equal(some.n_done, many / 1000);
		run_remembered(&half, unordered);
		assert_int_equal(half.n_done, 500);
		run_remembered(&none, unordered);
		assert_int_equal(none.n_known, many);
		run_remembered(&empty, unordered);
	}
}

static void results_that_nobody_takes_are_not_known(void **state)
{
	struct remembered all = {.end = 3};
	struct ipp_run run = {.function = sample("square"), .next = next_or_known, .owner = &all};
	struct ipp_request *request = submit(&run);

	(void)state;
	assert_int_equal(ipp_wait(request, PATIENCE_MS, &err), -EINVAL);
	assert_non_null(strstr(err.text, "next() knows a result that nobody takes"));
	ipp_request_free(request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_maps_and_an_apply_run_at_the_same_time),
		cmocka_unit_test(a_result_tells_where_and_when_it_came_about),
		cmocka_unit_test(unordered_results_come_as_tasks_finish),
		cmocka_unit_test(items_whose_results_are_known_are_told_in_their_turn),
		cmocka_unit_test(results_that_nobody_takes_are_not_known),
		cmocka_unit_test(a_window_bounds_what_is_asked_for_and_not_taken),
		cmocka_unit_test(without_a_window_all_results_wait_to_be_taken),
		cmocka_unit_test(the_rest_of_the_results_is_given_once),
		cmocka_unit_test(a_wait_that_times_out_leaves_the_request_running),
		cmocka_unit_test(a_request_that_is_freed_leaves_its_engines_to_others),
		cmocka_unit_test(an_interrupt_ends_the_wait_and_not_the_request),
		cmocka_unit_test(callbacks_can_stop_a_run),
		cmocka_unit_test(a_program_with_a_loop_of_its_own_polls_and_dispatches),
		cmocka_unit_test(arguments_may_be_arrays),
		cmocka_unit_test(items_may_be_rows_of_the_first_argument_in_any_order),
		cmocka_unit_test(a_variable_of_the_wrong_type_is_told_by_the_function),
		cmocka_unit_test(another_client_can_cancel_it_and_this_one_is_told),
		cmocka_unit_test(a_detached_request_outlives_its_client),
		cmocka_unit_test(an_array_is_scattered_and_gathered_without_waiting),
		cmocka_unit_test(values_and_lists_are_taken_in_the_order_of_the_targets),
		cmocka_unit_test(a_pull_that_waits_can_be_cancelled),
		cmocka_unit_test(an_errand_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_fetch_that_was_stopped_is_begun_again_from_the_beginning),
		cmocka_unit_test(what_makes_no_sense_is_refused_before_anything_is_sent),
		cmocka_unit_test(a_cluster_can_be_named_by_its_connection_file),
		cmocka_unit_test(the_end_of_the_cluster_ends_all_requests),
	};

	return cmocka_run_group_tests(tests, setup_cluster, teardown_cluster);
}
