/* libipp: variables, without waiting, and what is written of them. */
#include <fcntl.h>

#include "tests/unit/local_cluster.h"

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

#define N_WRITTEN 200000

static void assert_writes(const struct ipp_value *array, const uint8_t *expected)
{
	char path[] = "/tmp/ipp-written-XXXXXX";
	static uint8_t got[N_WRITTEN + 1];
	const int fd = mkstemp(path), end = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(unlink(path), 0);
	must(ipp_value_write(array, fd, &err));
	assert_int_equal(pread(fd, got, sizeof(got), 0), N_WRITTEN);
	assert_memory_equal(got, expected, N_WRITTEN);
	/* Where the kernel takes no pages. */
	must(ipp_value_write(array, end, &err));
	assert_int_equal(pread(fd, got, sizeof(got), N_WRITTEN), N_WRITTEN);
	assert_memory_equal(got, expected, N_WRITTEN);
	close(fd);
	close(end);
}

static int write_and_change(void *owner, size_t place, const struct ipp_value *value)
{
	uint8_t above[N_WRITTEN];
	static uint8_t below[N_WRITTEN];
	struct ipp_value changed = *value;

	(void)place;
	assert_writes(value, owner);
	memset(above, 'a', sizeof(above));
	changed.data = above;
	assert_writes(&changed, above);
	memset(below, 'b', sizeof(below));
	changed.data = below;
	assert_writes(&changed, below);
	return 0;
}

static void an_array_is_written_from_wherever_its_bytes_are(void **state)
{
	static uint8_t bytes[N_WRITTEN];
	const uint64_t shape = N_WRITTEN;
	const struct ipp_value array = {.kind = IPP_ARRAY,
					.dtype = "|u1",
					.shape = &shape,
					.n_dims = 1,
					.data = bytes,
					.bytes = sizeof(bytes)};
	struct ipp_request *pulled;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i >> 7);
	assert_writes(&array, bytes);
	must(ipp_push(client, first_engine, 1, "written", &array, &err));
	must(ipp_pull(client, first_engine, 1, "written", write_and_change, bytes, &err));
	pulled = errand(IPP_PULL, "written", NULL);
	next(pulled); /* engine 1 has none */
	assert_writes(&next(pulled)->value, bytes);
	ipp_request_free(pulled);
	must(ipp_remove(client, first_engine, 1, "written", &err));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_array_is_scattered_and_gathered_without_waiting),
		cmocka_unit_test(values_and_lists_are_taken_in_the_order_of_the_targets),
		cmocka_unit_test(an_array_is_written_from_wherever_its_bytes_are),
		cmocka_unit_test(a_pull_that_waits_can_be_cancelled),
		cmocka_unit_test(an_errand_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, setup_cluster, teardown_cluster);
}
