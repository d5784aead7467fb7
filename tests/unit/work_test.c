/* engine/work.c: what an engine gives back of its queue, and what it takes from its worker.  Its
 * controller and its worker are this test's. */
#include <event2/buffer.h>
#include <signal.h>

#include "engine/engine_impl.h"
#include "engine/worker_process.h"
#include "tests/unit/wire.h"

enum { MAP = 7, OTHER = 8, REMOVAL = 9 };

static struct event_base *loop;
static struct engine engine;
static struct peer *controller, *inside; /* the other ends of the engine's links */
static struct peer *to_controller;

/* ---- in place of a child process ---- */

struct worker_process {
	struct link *link;
	const struct worker_events *events;
	void *owner;
	struct progress progress;
	bool careful, killed;
};

static void on_frame(void *worker, struct link *link, const struct frame *frame)
{
	const struct worker_process *one = worker;

	(void)link;
	one->events->on_frame(one->owner, frame);
}

static void on_close(void *worker, struct link *link, const struct ipp_error *why)
{
	(void)worker;
	(void)link;
	(void)why;
}

static const struct link_events link_events = {.on_frame = on_frame, .on_close = on_close};

struct worker_process *worker_start(struct event_base *base, uint32_t rank, bool careful,
				    const struct worker_events *events, void *owner,
				    struct ipp_error *err)
{
	struct worker_process *worker = calloc(1, sizeof(*worker));
	int ends[2];

	(void)rank;
	(void)err;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	*worker = (struct worker_process){.events = events, .owner = owner, .careful = careful};
	worker->link = link_unix(base, ends[0], &link_events, worker);
	link_trust(worker->link);
	inside = peer_unix(base, ends[1]);
	return worker;
}

void worker_free(struct worker_process *worker)
{
	if (!worker)
		return;
	link_free(worker->link);
	peer_free(inside);
	free(worker);
}

void worker_kill(struct worker_process *worker)
{
	worker->killed = true;
}

struct link *worker_link(const struct worker_process *worker)
{
	return worker->link;
}

void worker_hold(struct worker_process *worker, bool held)
{
	progress_hold(&worker->progress, held);
}

pid_t worker_pid(const struct worker_process *worker)
{
	(void)worker;
	return 1;
}

struct progress worker_progress(const struct worker_process *worker)
{
	return worker->progress;
}

bool worker_was_severed(const struct worker_process *worker)
{
	(void)worker;
	return false;
}

bool worker_is_careful(const struct worker_process *worker)
{
	return worker->careful;
}

bool worker_is_stopped(const struct worker_process *worker)
{
	(void)worker;
	return false;
}

void worker_last_words(const struct worker_process *worker, struct evbuffer *out,
		       struct evbuffer *err)
{
	(void)worker;
	(void)out;
	(void)err;
}

bool worker_running(const struct worker_process *worker, struct progress *out)
{
	return progress_read(&worker->progress, out);
}

/* Results of the first tasks of MAP that wait in the worker. */
static size_t n_waiting;

static size_t pack_results(uint64_t request, uint64_t first, size_t n, uint8_t head[512])
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result each[16], *pointers[16];

	for (size_t i = 0; i < n; i++) {
		ipp__result__init(&each[i]);
		each[i].index = first + i;
		pointers[i] = &each[i];
	}
	results.request = request;
	results.n_results = n;
	results.results = pointers;
	return ipp__results__pack(&results, head);
}

void worker_take_waiting(struct worker_process *worker)
{
	uint8_t head[512];
	struct frame frame = {.type = FRAME_RESULTS, .head = head};

	if (n_waiting == 0)
		return;
	frame.head_bytes = pack_results(MAP, 0, n_waiting, head);
	n_waiting = 0;
	worker->events->on_frame(worker->owner, &frame);
}

static int setup(void **state)
{
	static const struct engine_options options = {.rank = 3};

	(void)state;
	loop = event_base_new();
	engine = (struct engine){.base = loop,
				 .options = &options,
				 .rank = 3,
				 .dial = (struct dial *)&engine}; /* it has joined */
	assert_int_equal(work_init(&engine), 0);
	peer_pair(loop, &controller, &to_controller);
	engine.controller = to_controller->link;
	work_start(&engine);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_false(engine.worker->killed);
	work_fini(&engine);
	peer_free(to_controller);
	peer_free(controller);
	event_base_free(loop);
	return 0;
}

/* ---- what the controller and the worker say ---- */

static void give(uint64_t request, uint64_t first, uint64_t n)
{
	Ipp__Tasks tasks = IPP__TASKS__INIT;
	uint8_t head[64];

	tasks.request = request;
	tasks.first = first;
	tasks.count = n;
	tasks.range = true;
	tasks.step = 1;
	assert_int_equal(work_add_tasks(&engine, &(struct frame){.type = FRAME_TASKS,
								 .head = head,
								 .head_bytes = ipp__tasks__pack(
									 &tasks, head)}),
			 0);
}

static void give_removal(void)
{
	Ipp__Remove *removal = malloc(sizeof(*removal));

	ipp__remove__init(removal);
	removal->request = REMOVAL;
	removal->name = strdup("x");
	assert_int_equal(work_add_errand(&engine, FRAME_REMOVE, REMOVAL, 0, &removal->base, NULL),
			 0);
}

/* The worker's page says so. */
static void runs(uint64_t request, uint64_t index)
{
	progress_begin(&engine.worker->progress, request, index, 1, 1);
}

static void reports(uint64_t request, uint64_t first, uint64_t n)
{
	uint8_t head[512];

	link_forward(inside->link, FRAME_RESULTS, head, pack_results(request, first, n, head),
		     NULL);
}

static void holds(void)
{
	link_send(inside->link, FRAME_HOLD, NULL, NULL);
	turn_until(loop, !engine.holding);
	turn_a_while(loop);
}

static size_t count(const struct peer *peer, uint16_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < peer->n; i++)
		n += peer->frames[i].type == type;
	return n;
}

/* What the worker was sent last. */
static void assert_sent(uint64_t request, uint64_t first, uint64_t n)
{
	Ipp__Tasks *tasks;

	assert_true(inside->n > 0);
	assert_int_equal(inside->frames[inside->n - 1].type, FRAME_TASKS);
	tasks = peer_message(inside, inside->n - 1, &ipp__tasks__descriptor);
	assert_int_equal(tasks->request, request);
	assert_int_equal(tasks->first, first);
	assert_int_equal(tasks->count, n);
	ipp__tasks__free_unpacked(tasks, NULL);
}

/* ---- */

static void what_waits_behind_the_task_that_runs_is_given_back(void **state)
{
	(void)state;
	give(MAP, 0, 5);
	give(MAP, 5, 5);
	runs(MAP, 2); /* the results of those before it are on their way */
	assert_int_equal(work_recall(&engine, MAP), 7);
	assert_int_equal(engine.queue.n_tasks, 3);
	assert_true(progress_is_held(&engine.worker->progress));
	turn_until(loop, count(inside, FRAME_HOLD) == 1);
	reports(MAP, 0, 3);
	holds();
	assert_int_equal(engine.queue.n_tasks, 0);
	assert_int_equal(count(inside, FRAME_TASKS), 2); /* as at first */
	assert_int_equal(count(controller, FRAME_RESULTS), 1);
	assert_false(progress_is_held(&engine.worker->progress));
	give(MAP, 9, 1);
	turn_until(loop, count(inside, FRAME_TASKS) == 3);
}

static void what_is_not_of_the_map_stays_in_its_order(void **state)
{
	(void)state;
	give(MAP, 0, 2);
	give_removal();
	give(OTHER, 0, 3);
	give(MAP, 2, 4);
	give(OTHER, 3, 1);
	runs(MAP, 0);
	assert_int_equal(work_recall(&engine, REMOVAL), 0);
	assert_int_equal(work_recall(&engine, MAP), 5);
	assert_int_equal(engine.queue.n_tasks, 1 + 1 + 4);
	turn_a_while(loop);
	peer_forget(inside);
	reports(MAP, 0, 1);
	holds();
	assert_int_equal(count(controller, FRAME_DONE), 1); /* to the removal */
	assert_int_equal(count(inside, FRAME_TASKS), 2);
	assert_sent(OTHER, 3, 1);
	runs(OTHER, 0); /* of another map the tasks behind it are counted as well */
	assert_int_equal(work_recall(&engine, OTHER), 3);
}

static void tasks_behind_one_of_another_map_are_given_back(void **state)
{
	(void)state;
	give(OTHER, 0, 1);
	give(MAP, 0, 4);
	runs(OTHER, 0);
	assert_int_equal(work_recall(&engine, MAP), 4);
	assert_int_equal(engine.queue.n_tasks, 1);
}

/* The worker begins them all anew. */
static void where_it_cannot_be_told_what_runs_nothing_is_given_back(void **state)
{
	(void)state;
	give(MAP, 0, 5);
	assert_int_equal(work_recall(&engine, MAP), 0);
	holds();
	assert_sent(MAP, 0, 5);
	runs(MAP, 0);
	engine.worker->progress.turn++; /* it is about to begin one */
	assert_int_equal(work_recall(&engine, MAP), 0);
	engine.worker->progress.turn++;
	holds();
	assert_sent(MAP, 0, 5);
	engine.worker->progress.running = 0; /* that one has ended */
	assert_int_equal(work_recall(&engine, MAP), 0);
	holds();
	runs(MAP, 4); /* which has been reported: it is between two tasks */
	reports(MAP, 0, 5);
	turn_until(loop, engine.queue.n_tasks == 0);
	give(MAP, 5, 2);
	assert_int_equal(work_recall(&engine, MAP), 0);
	assert_int_equal(engine.queue.n_tasks, 2);
}

static void a_map_that_is_not_there_holds_up_nobody(void **state)
{
	(void)state;
	give(OTHER, 0, 5);
	runs(OTHER, 0);
	assert_int_equal(work_recall(&engine, MAP), 0);
	assert_false(progress_is_held(&engine.worker->progress));
	turn_a_while(loop);
	assert_int_equal(count(inside, FRAME_HOLD), 0);
}

/* Its end is known before its turn: that of task 2, which its worker died of. */
static void behind_a_task_whose_end_waits_for_its_turn_nothing_is_given_back(void **state)
{
	(void)state;
	give(MAP, 0, 5);
	runs(MAP, 2);
	engine.worker->events->on_death(&engine, SIGKILL);
	assert_non_null(engine.verdicts);
	runs(MAP, 0);
	assert_int_equal(work_recall(&engine, MAP), 0);
	assert_int_equal(engine.queue.n_tasks, 5);
	reports(MAP, 0, 2);
	turn_until(loop, count(controller, FRAME_RESULTS) == 2);
	assert_null(engine.verdicts);
	runs(MAP, 3);
	assert_int_equal(work_recall(&engine, MAP), 1);
}

static void a_task_whose_result_waits_in_a_dead_worker_has_ended_well(void **state)
{
	(void)state;
	give(MAP, 0, 5);
	runs(MAP, 1);
	n_waiting = 2;
	engine.worker->events->on_death(&engine, SIGKILL);
	assert_int_equal(engine.queue.n_tasks, 3);
	assert_null(engine.verdicts);
	turn_until(loop, count(controller, FRAME_RESULTS) == 1);
}

static void the_task_behind_those_whose_results_wait_is_what_a_worker_died_of(void **state)
{
	(void)state;
	give(MAP, 0, 5);
	runs(MAP, 1);
	n_waiting = 1;
	engine.worker->events->on_death(&engine, SIGKILL);
	assert_int_equal(engine.queue.n_tasks, 3);
	turn_until(loop, count(controller, FRAME_RESULTS) == 2);
}

/* ---- */

static void says(const Ipp__Results *results)
{
	uint8_t head[512];

	link_forward(inside->link, FRAME_RESULTS, head, ipp__results__pack(results, head), NULL);
	turn_until(loop, engine.worker->killed);
}

/* Of that task, but its stdout is not there. */
static void says_what_is_cut_short(uint64_t index)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;

	results.request = MAP;
	results.results = &one;
	results.n_results = 1;
	result.index = index;
	result.stdout_bytes = 9;
	says(&results);
}

static void dies(void)
{
	engine.worker->events->on_death(&engine, SIGKILL);
	turn_a_while(loop);
}

static void a_task_whose_result_was_written_over_is_told_from_its_neighbours(void **state)
{
	Ipp__Results *results;

	(void)state;
	give(MAP, 0, 5);
	runs(MAP, 4);
	says_what_is_cut_short(0);
	dies(); /* any of those may have done it, and a careful worker sees which */
	assert_int_equal(count(controller, FRAME_RESULTS), 0);
	assert_true(engine.worker->careful);
	assert_sent(MAP, 0, 5);
	reports(MAP, 0, 1);
	runs(MAP, 2);
	says_what_is_cut_short(1);
	dies();
	assert_int_equal(count(controller, FRAME_RESULTS), 2);
	results = peer_message(controller, 1, &ipp__results__descriptor);
	assert_int_equal(results->results[0]->index, 1);
	assert_int_equal(results->results[0]->outcome, IPP__OUTCOME__KILLED);
	assert_string_equal(results->results[0]->error,
			    "its worker sent a result that is none, as after a function that wrote "
			    "where it should not, and was killed");
	ipp__results__free_unpacked(results, NULL);
	assert_sent(MAP, 2, 3);
	assert_false(engine.worker->careful);
}

/* Each costs its worker, and none is passed on. */
static void whatever_results_are_written_over_with_they_go_no_further(void **state)
{
	static const struct {
		Ipp__Outcome outcome;
		uint64_t index, bytes;
		bool heads;
	} ways[] = {
		{.outcome = (Ipp__Outcome)(IPP__OUTCOME__TIMED_OUT + 1)},
		{.outcome = (Ipp__Outcome)-1},
		{.index = 1},
		{.bytes = 1},
		{.bytes = UINT64_MAX},
		{.heads = true},
	};

	(void)state;
	give(MAP, 0, 1);
	give_removal();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		Ipp__Results results = IPP__RESULTS__INIT;
		Ipp__Result result = IPP__RESULT__INIT, *one = &result;

		results.request = MAP;
		results.results = &one;
		results.n_results = 1;
		results.heads = ways[i].heads;
		result.outcome = ways[i].outcome;
		result.index = ways[i].index;
		result.stderr_bytes = ways[i].bytes;
		engine.worker->careful = false;
		engine.idle_deaths = 0;
		says(&results);
		dies();
		assert_int_equal(count(controller, FRAME_RESULTS), 0);
	}
	engine.worker->careful = true;
	link_forward(inside->link, FRAME_RESULTS, (const uint8_t *)"\xff\xff", 2, NULL);
	turn_until(loop, engine.worker->killed);
	dies();
	assert_int_equal(count(controller, FRAME_RESULTS), 1);
	assert_int_equal(count(controller, FRAME_DONE), 1); /* the removal behind it */
}

static void a_variable_that_was_written_over_costs_its_task(void **state)
{
	Ipp__Push push = IPP__PUSH__INIT;
	Ipp__Value value = IPP__VALUE__INIT;
	Ipp__Results *results;

	(void)state;
	value.name = (char *)"1 is no name";
	push.value = &value;
	give(MAP, 0, 2);
	engine.worker->careful = true;
	runs(MAP, 0);
	link_send(inside->link, FRAME_PUSH, &push.base, NULL);
	reports(MAP, 0, 1); /* as one that has ended well */
	turn_until(loop, engine.worker->killed);
	turn_a_while(loop);
	dies();
	results = peer_message(controller, 0, &ipp__results__descriptor);
	assert_int_equal(results->results[0]->index, 0);
	assert_non_null(strstr(results->results[0]->error, "wrote where it should not"));
	ipp__results__free_unpacked(results, NULL);
	assert_sent(MAP, 1, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_waits_behind_the_task_that_runs_is_given_back),
		TEST(what_is_not_of_the_map_stays_in_its_order),
		TEST(tasks_behind_one_of_another_map_are_given_back),
		TEST(where_it_cannot_be_told_what_runs_nothing_is_given_back),
		TEST(a_map_that_is_not_there_holds_up_nobody),
		TEST(behind_a_task_whose_end_waits_for_its_turn_nothing_is_given_back),
		TEST(a_task_whose_result_waits_in_a_dead_worker_has_ended_well),
		TEST(the_task_behind_those_whose_results_wait_is_what_a_worker_died_of),
		TEST(a_task_whose_result_was_written_over_is_told_from_its_neighbours),
		TEST(whatever_results_are_written_over_with_they_go_no_further),
		TEST(a_variable_that_was_written_over_costs_its_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
