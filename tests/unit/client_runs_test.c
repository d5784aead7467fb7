/* libipp: what is run, and how its results come. */
#include "tests/unit/local_cluster.h"

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
		cmocka_unit_test(a_window_bounds_what_is_asked_for_and_not_taken),
		cmocka_unit_test(without_a_window_all_results_wait_to_be_taken),
		cmocka_unit_test(the_rest_of_the_results_is_given_once),
		cmocka_unit_test(arguments_may_be_arrays),
		cmocka_unit_test(items_may_be_rows_of_the_first_argument_in_any_order),
		cmocka_unit_test(a_variable_of_the_wrong_type_is_told_by_the_function),
		cmocka_unit_test(items_whose_results_are_known_are_told_in_their_turn),
		cmocka_unit_test(results_that_nobody_takes_are_not_known),
	};

	return cmocka_run_group_tests(tests, setup_cluster, teardown_cluster);
}
