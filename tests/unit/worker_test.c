/* engine/worker.h: a worker as its engine sees it, in a child process of this one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engine/capture.h"
#include "engine/progress.h"
#include "engine/worker.h"
#include "tests/unit/wire.h"

static struct event_base *base;
static struct peer *worker;
static struct worker_page *page;
static struct progress *progress;
static pid_t pid;
static int expected_exit;

static int setup(void **state)
{
	int ends[2];

	(void)state;
	expected_exit = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(page != MAP_FAILED);
	progress = &page->progress;
	pid = fork();
	if (pid == 0) {
		base = event_base_new();
		close(ends[0]);
		worker_run(base, ends[1], progress, &page->outbox, 3, capture_open(),
			   capture_open());
		event_base_free(base);
		_exit(0);
	}
	close(ends[1]);
	base = event_base_new();
	worker = peer_unix(base, ends[0]);
	/* The first thing it says is that it is up. */
	while (worker->n == 0)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(worker->frames[0].type, FRAME_READY);
	peer_forget(worker);
	return 0;
}

static int teardown(void **state)
{
	const struct timespec nap = {.tv_nsec = 100000};
	const time_t until = time(NULL) + PATIENCE_S;
	int status;

	(void)state;
	peer_free(worker);
	event_base_free(base);
	while (waitpid(pid, &status, WNOHANG) == 0) { /* it ends when its link does */
		if (time(NULL) > until)
			kill(pid, SIGKILL);
		nanosleep(&nap, NULL);
	}
	munmap(page, sizeof(*page));
	assert_int_equal(WEXITSTATUS(status), expected_exit);
	assert_true(WIFEXITED(status));
	return 0;
}

static void call(uint64_t request, const char *runtime, const char *function, char **argv)
{
	Ipp__Call message = IPP__CALL__INIT;

	message.request = request;
	message.runtime = (char *)runtime;
	message.function = (char *)function;
	message.argv = argv;
	while (argv && argv[message.n_argv])
		message.n_argv++;
	link_send(worker->link, FRAME_CALL, &message.base, NULL);
}

static void give(uint64_t request, uint64_t first, uint64_t n)
{
	Ipp__Tasks tasks = IPP__TASKS__INIT;

	tasks.request = request;
	tasks.first = first;
	tasks.count = n;
	tasks.range = true;
	tasks.start = (int64_t)first;
	tasks.step = 1;
	link_send(worker->link, FRAME_TASKS, &tasks.base, NULL);
}

/* Results in all frames. */
static size_t n_results(void)
{
	size_t n = 0;

	for (size_t i = 0; i < worker->n; i++) {
		Ipp__Results *results = peer_message(worker, i, &ipp__results__descriptor);

		n += results->n_results;
		ipp__results__free_unpacked(results, NULL);
	}
	return n;
}

static Ipp__Results *first_frame(void)
{
	turn_until(base, worker->n > 0);
	return peer_message(worker, 0, &ipp__results__descriptor);
}

static void short_tasks_share_frames_of_results_in_order(void **state)
{
	uint64_t next = 5;

	(void)state;
	call(9, "native", "sample.so:square", NULL);
	give(9, 5, 2000);
	turn_until(base, n_results() == 2000);
	assert_true(worker->n < 500);
	for (size_t i = 0; i < worker->n; i++) {
		Ipp__Results *results = peer_message(worker, i, &ipp__results__descriptor);

		assert_int_equal(results->request, 9);
		for (size_t r = 0; r < results->n_results; r++, next++) {
			const Ipp__Result *result = results->results[r];

			assert_int_equal(result->index, next);
			assert_int_equal(result->engine, 3);
			assert_int_equal(result->value->integer, next * next);
		}
		ipp__results__free_unpacked(results, NULL);
	}
}

static void what_a_command_wrote_is_the_payload(void **state)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"echo out{}; echo e >&2", NULL};
	Ipp__Results *results;

	(void)state;
	call(1, "command", "", argv);
	give(1, 7, 1);
	results = first_frame();
	assert_int_equal(results->results[0]->stdout_bytes, 5);
	assert_int_equal(results->results[0]->stderr_bytes, 2);
	assert_memory_equal(worker->frames[0].payload->data, "out7\ne\n", 7);
	assert_true(results->results[0]->elapsed_us > 0);
	ipp__results__free_unpacked(results, NULL);
}

static void its_page_says_which_task_runs(void **state)
{
	char fifo[] = "/tmp/worker_test.XXXXXX";
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"cat $0 # {}", fifo, NULL};
	int fd;

	(void)state;
	assert_non_null(mkdtemp(fifo));
	assert_int_equal(rmdir(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	call(1, "command", "", argv);
	give(1, 40, 2);
	for (int task = 40; task < 42; task++) {
		turn_until(base, progress->running && progress->index == (uint64_t)task);
		assert_int_equal(progress->request, 1);
		assert_true(progress->started_us > 0);
		turn_until(base, (fd = open(fifo, O_WRONLY | O_NONBLOCK)) >= 0);
		close(fd);
	}
	turn_until(base, n_results() == 2);
	assert_int_equal(progress->running, 0);
	unlink(fifo);
}

/* Commands that end within a fraction of a millisecond, and one that waits. */
static void results_do_not_wait_for_a_command_that_runs(void **state)
{
	char folder[] = "/tmp/worker_test.XXXXXX", file[64], fifo[64];
	char *argv[] = {(char *)"cat", file, NULL};
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/{}", folder);
	snprintf(fifo, sizeof(fifo), "%s/20", folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	call(1, "command", "", argv);
	give(1, 0, 21);
	turn_until(base, n_results() == 20);
	turn_until(base, (fd = open(fifo, O_WRONLY | O_NONBLOCK)) >= 0);
	close(fd);
	turn_until(base, n_results() == 21);
	unlink(fifo);
	rmdir(folder);
}

static void give_texts(uint64_t request, const char *const *texts, size_t n)
{
	Ipp__Tasks tasks = IPP__TASKS__INIT;
	uint64_t bytes[8];
	char all[256] = "";
	struct blob *payload;

	tasks.request = request;
	tasks.count = n;
	tasks.n_item_bytes = n;
	tasks.item_bytes = bytes;
	for (size_t i = 0; i < n; i++) {
		bytes[i] = strlen(texts[i]);
		strcat(all, texts[i]);
	}
	payload = blob_copy(all, strlen(all));
	link_send(worker->link, FRAME_TASKS, &tasks.base, payload);
	blob_unref(payload);
}

/* What is in the outbox, as its engine takes it; NULL: nothing. */
static Ipp__Results *take_waiting(uint64_t n_heard)
{
	Ipp__Results *results;
	struct blob *payload;
	size_t head_bytes;
	uint8_t *head;

	if (!outbox_take(&page->outbox, n_heard, &head, &head_bytes, &payload))
		return NULL;
	assert_null(payload);
	results = ipp__results__unpack(NULL, head_bytes, head);
	assert_non_null(results);
	free(head);
	return results;
}

static void results_of_functions_can_be_taken_while_a_long_task_runs(void **state)
{
	char fifo[] = "/tmp/worker_test.XXXXXX";
	const char *const items[] = {"", "/dev/null", fifo, ""};
	Ipp__Results *results;
	size_t n_taken = 0;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(fifo));
	assert_int_equal(rmdir(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	call(7, "native", "sample.so:await", NULL);
	give_texts(7, items, 4);
	turn_until(base, progress->running && progress->index == 2);
	/* Where the first took a millisecond, it was sent. */
	turn_until(base, n_results() + page->outbox.n_results == 2);
	assert_null(take_waiting(worker->n + 1)); /* what comes on the link is first */
	results = take_waiting(worker->n);
	if (results) {
		n_taken = results->n_results;
		assert_int_equal(results->request, 7);
		assert_int_equal(results->results[n_taken - 1]->index, 1);
		assert_string_equal(results->results[n_taken - 1]->value->text, "/dev/null");
		ipp__results__free_unpacked(results, NULL);
	}
	assert_int_equal(n_results() + n_taken, 2);
	assert_null(take_waiting(worker->n));
	turn_until(base, (fd = open(fifo, O_WRONLY | O_NONBLOCK)) >= 0);
	close(fd);
	turn_until(base, n_results() + n_taken == 4);
	unlink(fifo);
}

/* Functions may write where they should not. */
static void an_outbox_that_was_scribbled_on_is_left_alone(void **state)
{
	struct outbox *outbox = &page->outbox;

	(void)state;
	outbox->n_results = 1;
	outbox->head_bytes = OUTBOX_HEAD_BYTES + 1;
	assert_null(take_waiting(0));
	outbox->head_bytes = 0;
	outbox->payload_bytes = UINT32_MAX;
	assert_null(take_waiting(0));
	outbox->payload_bytes = 0;
	outbox->held = 1;
	assert_null(take_waiting(0));
	outbox->held = outbox->n_results = 0;
}

/* Let the task that opens it end. */
static void open_gate(const char *fifo)
{
	int fd;

	turn_until(base, (fd = open(fifo, O_WRONLY | O_NONBLOCK)) >= 0);
	close(fd);
}

/* The result of a task waits, and the next one is at the fifo.  Where the first took a millisecond,
 * it was sent: again. */
static void have_one_wait(uint64_t request, const char *fifo)
{
	const char *const items[] = {"", fifo};
	size_t before = n_results();

	call(request, "native", "sample.so:await", NULL);
	for (;; before += 2) {
		give_texts(request, items, 2);
		turn_until(base, progress->running && progress->index == 1 &&
					 n_results() + page->outbox.n_results == before + 1);
		if (page->outbox.n_results == 1)
			return;
		open_gate(fifo);
		turn_until(base, n_results() == before + 2);
	}
}

static void make_gate(char *fifo)
{
	assert_non_null(mkdtemp(fifo));
	assert_int_equal(rmdir(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
}

static void a_worker_whose_waiting_results_were_written_over_ends(void **state)
{
	char fifo[] = "/tmp/worker_test.XXXXXX";

	(void)state;
	make_gate(fifo);
	have_one_wait(7, fifo);
	memset(&page->outbox, 0xff, sizeof(page->outbox));
	expected_exit = 125;
	open_gate(fifo);
	turn_until(base, worker->closed);
	unlink(fifo);
}

static void where_nothing_waited_the_results_are_sent_one_by_one(void **state)
{
	char fifo[] = "/tmp/worker_test.XXXXXX";
	const char *const items[] = {fifo, "", ""};

	(void)state;
	make_gate(fifo);
	call(7, "native", "sample.so:await", NULL);
	give_texts(7, items, 3);
	turn_until(base, progress->running);
	page->outbox.head_bytes = UINT32_MAX;
	open_gate(fifo);
	turn_until(base, n_results() == 3);
	assert_int_equal(worker->n, 3);
	unlink(fifo);
}

/* It is told of each task which one did it, if any. */
static void a_careful_worker_sends_each_result_at_once(void **state)
{
	(void)state;
	progress->careful = 1;
	call(9, "native", "sample.so:square", NULL);
	give(9, 0, 100);
	turn_until(base, n_results() == 100);
	assert_int_equal(worker->n, 100);
}

/* More than a socket takes, and an engine that reads late. */
static void no_result_is_left_in_a_worker_that_runs_a_long_task(void **state)
{
	char fifo[] = "/tmp/worker_test.XXXXXX";
	const char *item = fifo;
	bool full;

	(void)state;
	make_gate(fifo);
	progress->careful = 1; /* a frame for each result */
	call(9, "native", "sample.so:square", NULL);
	call(7, "native", "sample.so:await", NULL);
	give(9, 0, 1000);
	give_texts(7, &item, 1);
	link_flush(worker->link);
	for (time_t until = time(NULL) + PATIENCE_S; time(NULL) <= until;) {
		full = progress->turn > 2 * 200 && is_asleep(pid);
		if (full)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	assert_true(full);
	turn_until(base, progress->running && progress->request == 7);
	turn_until(base, n_results() == 1000);
	open_gate(fifo);
	turn_until(base, n_results() == 1001);
	unlink(fifo);
}

static void every_task_of_a_call_that_cannot_be_opened_says_why(void **state)
{
	Ipp__Results *results;

	(void)state;
	call(1, "python", "f", NULL);
	give(1, 0, 2);
	results = first_frame();
	assert_int_equal(results->n_results, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(results->results[i]->outcome, IPP__OUTCOME__ERROR);
		assert_string_equal(results->results[i]->error,
				    "this engine has no runtime 'python'");
	}
	ipp__results__free_unpacked(results, NULL);
}

static double numbers[] = {1, 2, 4};

/* The variable "v", an array of `n` of them (borrows; until the next call). */
static Ipp__Value *array_v(uint64_t n)
{
	static uint64_t shape[1];
	static Ipp__Array array;
	static Ipp__Value value;

	shape[0] = n;
	ipp__array__init(&array);
	array.dtype = (char *)"<f8";
	array.shape = shape;
	array.n_shape = 1;
	array.bytes = sizeof(numbers);
	ipp__value__init(&value);
	value.name = (char *)"v";
	value.kind_case = IPP__VALUE__KIND_ARRAY;
	value.array = &array;
	return &value;
}

static void a_pushed_array_is_what_functions_see(void **state)
{
	struct blob *payload = blob_copy(numbers, sizeof(numbers));
	Ipp__Push push = IPP__PUSH__INIT;
	Ipp__Results *results;

	(void)state;
	push.value = array_v(3);
	link_send(worker->link, FRAME_PUSH, &push.base, payload);
	blob_unref(payload);
	call(1, "native", "sample.so:sum", NULL);
	give(1, 0, 1);
	results = first_frame();
	assert_true(results->results[0]->value->real == 7);
	ipp__results__free_unpacked(results, NULL);
}

/* What functions see has the bytes that its shape takes. */
static void an_argument_that_is_shorter_than_its_shape_fails_its_tasks(void **state)
{
	struct blob *payload = blob_copy(numbers, sizeof(numbers));
	Ipp__Call message = IPP__CALL__INIT;
	Ipp__Value *one = array_v(4);
	Ipp__Results *results;

	(void)state;
	message.request = 1;
	message.runtime = (char *)"native";
	message.function = (char *)"sample.so:square";
	message.n_arguments = 1;
	message.arguments = &one;
	link_send(worker->link, FRAME_CALL, &message.base, payload);
	blob_unref(payload);
	give(1, 0, 1);
	results = first_frame();
	assert_int_equal(results->results[0]->outcome, IPP__OUTCOME__ERROR);
	assert_string_equal(results->results[0]->error, "its arguments did not arrive whole");
	ipp__results__free_unpacked(results, NULL);
}

static void a_call_that_is_closed_begins_anew(void **state)
{
	Ipp__Close closed = IPP__CLOSE__INIT;
	Ipp__Results *results;

	(void)state;
	call(1, "native", "sample.so:count", NULL);
	give(1, 0, 3);
	turn_until(base, n_results() == 3);
	closed.request = 1;
	link_send(worker->link, FRAME_CLOSE, &closed.base, NULL);
	peer_forget(worker);
	call(1, "native", "sample.so:count", NULL);
	give(1, 0, 1);
	results = first_frame();
	assert_int_equal(results->results[0]->value->integer, 0);
	ipp__results__free_unpacked(results, NULL);
}

/* What was sent before it is held comes anew, in the place that it had. */
static void a_worker_that_is_held_begins_nothing_and_skips_what_it_was_sent(void **state)
{
	char fifo[] = "/tmp/worker_test.XXXXXX";
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"cat $0 # {}", fifo, NULL};
	Ipp__Results *results;

	(void)state;
	make_gate(fifo);
	call(1, "command", "", argv);
	call(2, "native", "sample.so:square", NULL);
	give(1, 0, 3);
	give(2, 5, 1);
	turn_until(base, progress->running);
	progress_hold(progress, true);
	link_send(worker->link, FRAME_HOLD, NULL, NULL);
	open_gate(fifo);
	turn_until(base, worker->n == 2);
	assert_int_equal(worker->frames[1].type, FRAME_HOLD);
	results = first_frame();
	assert_int_equal(results->n_results, 1);
	assert_int_equal(results->results[0]->index, 0);
	ipp__results__free_unpacked(results, NULL);
	assert_int_equal(progress->running, 0);
	progress_hold(progress, false);
	peer_forget(worker);
	give(2, 6, 1);
	results = first_frame();
	assert_int_equal(results->results[0]->index, 6);
	ipp__results__free_unpacked(results, NULL);
	unlink(fifo);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(short_tasks_share_frames_of_results_in_order),
		TEST(what_a_command_wrote_is_the_payload),
		TEST(its_page_says_which_task_runs),
		TEST(results_do_not_wait_for_a_command_that_runs),
		TEST(results_of_functions_can_be_taken_while_a_long_task_runs),
		TEST(an_outbox_that_was_scribbled_on_is_left_alone),
		TEST(a_worker_whose_waiting_results_were_written_over_ends),
		TEST(where_nothing_waited_the_results_are_sent_one_by_one),
		TEST(a_careful_worker_sends_each_result_at_once),
		TEST(no_result_is_left_in_a_worker_that_runs_a_long_task),
		TEST(every_task_of_a_call_that_cannot_be_opened_says_why),
		TEST(a_pushed_array_is_what_functions_see),
		TEST(an_argument_that_is_shorter_than_its_shape_fails_its_tasks),
		TEST(a_call_that_is_closed_begins_anew),
		TEST(a_worker_that_is_held_begins_nothing_and_skips_what_it_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
