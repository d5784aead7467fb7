/* libipp: requests of one client and of several, and the end of the cluster. */
#include <poll.h>

#include "tests/unit/local_cluster.h"

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
	const struct ipp_argument text = {
		.name = "t", .value = {.kind = IPP_TEXT, .text = "", .bytes = (1 << 20) + 1}};
	struct range range = {.end = 1};
	struct ipp_run run = {.function = "forest.so:loo"};
	struct ipp_argument long_ones[17];
	char *a_mebibyte = test_calloc((1 << 20) + 1, 1);

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
	run.arguments = &text;
	assert_refused(&run, -EMSGSIZE,
		       "'t' is a text of 1048577 bytes, and 1048576 is the most: give it as an "
		       "array, from a file with t=@FILE");
	memset(a_mebibyte, 'x', 1 << 20);
	for (size_t i = 0; i < 17; i++)
		long_ones[i] = (struct ipp_argument){
			.name = (const char *[]){"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
						 "k", "l", "m", "n", "o", "p", "q"}[i],
			.value = {.kind = IPP_TEXT, .text = a_mebibyte, .bytes = 1 << 20}};
	run.arguments = long_ones;
	run.n_arguments = 17;
	assert_refused(&run, -EMSGSIZE, "a call are 1782");
	run.n_arguments = 1;
	test_free(a_mebibyte);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_that_times_out_leaves_the_request_running),
		cmocka_unit_test(a_request_that_is_freed_leaves_its_engines_to_others),
		cmocka_unit_test(an_interrupt_ends_the_wait_and_not_the_request),
		cmocka_unit_test(callbacks_can_stop_a_run),
		cmocka_unit_test(a_program_with_a_loop_of_its_own_polls_and_dispatches),
		cmocka_unit_test(another_client_can_cancel_it_and_this_one_is_told),
		cmocka_unit_test(a_detached_request_outlives_its_client),
		cmocka_unit_test(a_fetch_that_was_stopped_is_begun_again_from_the_beginning),
		cmocka_unit_test(what_makes_no_sense_is_refused_before_anything_is_sent),
		cmocka_unit_test(a_cluster_can_be_named_by_its_connection_file),
		cmocka_unit_test(the_end_of_the_cluster_ends_all_requests),
	};

	return cmocka_run_group_tests(tests, setup_cluster, teardown_cluster);
}
