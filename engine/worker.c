#include "engine/worker.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/capture.h"
#include "engine/oom.h"
#include "engine/opened_call.h"
#include "engine/orphans.h"
#include "engine/progress.h"
#include "engine/report.h"
#include "engine/runtime.h"
#include "engine/stray.h"
#include "engine/variables.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/items.h"
#include "proto/link.h"
#include "proto/value.h"
#include "proto/variable.h"

/* Results wait this long for company, so that short tasks share a frame: those of functions, which
 * nothing can be sent beside, and those of processes, see task->tell(). */
#define GATHER_US 1000
#define GATHER_PROCESSES_US 5000
#define GATHER_MAX 512
#define FORK_US 10		/* a function that was faster has started no process */
#define LARGE_BYTES (16u << 20) /* memory that is given back after such outputs */
#define INTEGER_BYTES 24	/* an integer's digits with their NUL */

struct worker {
	struct event_base *base;
	struct link *link;
	struct progress *progress;
	struct outbox *outbox; /* results not sent yet: all of one request */
	size_t n_gathered;     /* since the last frame, with those that the engine took */
	int64_t gathered_since_us;
	bool halted; /* at a task while held: it and what follows come anew after HOLD */
	struct variables *variables;
	struct opened_call *calls;
	struct outcome outcome;
	uint32_t rank;
	int link_fd;
	ino_t link_inode; /* a function may close it, and open something else in its place */
	int out, err;	  /* what functions wrote, see capture.h */
	volatile uint64_t *glance_out, *glance_err;
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* ---- results ---- */

static void no_memory(const struct worker *worker, size_t bytes)
{
	fprintf(stderr, "ipp-worker: engine %u: out of memory for results of %zu bytes\n",
		worker->rank, bytes);
	exit(125); /* the engine reports the task and starts another worker */
}

static void overwritten(const struct worker *worker)
{
	fprintf(stderr,
		"ipp-worker: engine %u: the function wrote over results that wait to be sent: it "
		"writes where it should not\n",
		worker->rank);
	_exit(125); /* nothing of its module runs again */
}

/* Frames are counted: the engine takes what waits in the outbox behind them.  Hence none may wait
 * here for a task that comes. */
static void send_frame(struct worker *worker, uint16_t type, const ProtobufCMessage *head,
		       struct blob *payload)
{
	link_send(worker->link, type, head, payload);
	worker->outbox->n_sent++;
	link_drain(worker->link);
}

static void send_results(void *of)
{
	struct worker *worker = of;
	int rc;

	if (worker->n_gathered == 0)
		return;
	worker->n_gathered = 0;
	rc = outbox_send(worker->outbox, worker->link);
	if (rc == -EPROTO)
		overwritten(worker);
	if (rc < 0)
		no_memory(worker, worker->outbox->payload_bytes);
	link_drain(worker->link);
}

static void end_tasks(struct worker *worker)
{
	if (worker->n_gathered == 0)
		return;
	orphans_kill(); /* a task is over when it returns */
	oom_mark();
	send_results(worker);
}

/* It is larger than the outbox. */
static void send_alone(struct worker *worker, const struct report *report)
{
	const size_t bytes = report_lay_out(report, NULL, 0);
	struct blob *payload = bytes ? blob_new(bytes) : NULL;

	if (payload)
		report_lay_out(report, payload->data, 0);
	if (bytes && (!payload || blob_seal(payload, NULL) < 0))
		no_memory(worker, bytes);
	orphans_kill();
	oom_mark();
	send_frame(worker, FRAME_RESULTS, &report->results.base, payload);
	blob_unref(payload);
	if (bytes > LARGE_BYTES)
		malloc_trim(0);
}

/* Whether there was room for it. */
static bool put(struct outbox *outbox, struct report *report)
{
	const size_t head_bytes = ipp__results__get_packed_size(&report->results);
	const size_t payload_bytes = report_lay_out(report, NULL, 0) + ARRAY_ALIGNMENT;
	size_t end;

	if (!outbox_open(outbox, head_bytes, payload_bytes))
		return false;
	if (outbox->n_results > 0) /* they have said it */
		report->results.request = 0;
	end = report_lay_out(report, outbox->payload, outbox->payload_bytes);
	outbox_close(outbox,
		     ipp__results__pack(&report->results, outbox->head + outbox->head_bytes),
		     end - outbox->payload_bytes);
	return true;
}

static void gather(struct worker *worker, const struct opened_call *opened, uint64_t index,
		   int64_t started_us, int64_t elapsed_us)
{
	const int64_t gather_us = opened->runtime == &native_runtime ? GATHER_US
								     : GATHER_PROCESSES_US;
	struct report report;

	report_init(&report, &worker->outcome);
	report.results.request = opened->call->request;
	report.result.index = index;
	report.result.engine = worker->rank;
	report.result.started_us = started_us;
	report.result.elapsed_us = elapsed_us > 0 ? (uint64_t)elapsed_us : 0;
	if (!put(worker->outbox, &report)) {
		end_tasks(worker);
		if (!put(worker->outbox, &report)) {
			send_alone(worker, &report);
			return;
		}
	}
	if (worker->n_gathered++ == 0)
		worker->gathered_since_us = clock_us(CLOCK_MONOTONIC) - elapsed_us;
	if (worker->progress->careful || worker->n_gathered == GATHER_MAX ||
	    (elapsed_us >= FORK_US && orphans_any_to_kill()) ||
	    clock_us(CLOCK_MONOTONIC) - worker->gathered_since_us >= gather_us)
		end_tasks(worker);
}

/* ---- calls and variables ---- */

static void take_call(struct worker *worker, const struct frame *frame)
{
	if (!opened_call_add(&worker->calls, frame))
		exit(125);
}

static void take_close(struct worker *worker, const struct frame *frame)
{
	Ipp__Close *closed = ipp__close__unpack(NULL, frame->head_bytes, frame->head);

	if (closed)
		opened_call_close(&worker->calls, closed->request);
	ipp__close__free_unpacked(closed, NULL);
}

static void take_push(struct worker *worker, const struct frame *frame)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);
	size_t offset = 0;

	if (!push || !push->value ||
	    variables_set(worker->variables, push->value, frame->payload, &offset) < 0)
		exit(125);
	ipp__push__free_unpacked(push, NULL);
}

static void take_remove(struct worker *worker, const struct frame *frame)
{
	Ipp__Remove *removal = ipp__remove__unpack(NULL, frame->head_bytes, frame->head);

	if (removal)
		variables_remove(worker->variables, removal->name);
	ipp__remove__free_unpacked(removal, NULL);
}

/* The engine keeps it, for the next worker and for whoever pulls it; it hears of it before it hears
 * of the task's end. */
static int store(void *owner, const char *name, const struct ipp_value *value,
		 struct ipp_error *err)
{
	struct worker *worker = owner;
	Ipp__Push push = IPP__PUSH__INIT;
	struct blob *payload = NULL;
	Ipp__Value head;
	Ipp__Array array;
	size_t offset = 0;
	int rc;

	value_describe(name, value, &head, &array);
	push.value = &head;
	if (value->kind == IPP_ARRAY) {
		payload = blob_copy(value->data, value->bytes);
		if (!payload)
			return ipp_fail(err, ENOMEM, "out of memory for variable '%s', %zu bytes",
					name, value->bytes);
	}
	rc = variable_check(&head, payload, err);
	if (rc == 0 && variables_set(worker->variables, &head, payload, &offset) < 0)
		rc = ipp_fail(err, ENOMEM, "out of memory for variable '%s'", name);
	if (rc == 0)
		send_frame(worker, FRAME_PUSH, &push.base, payload);
	blob_unref(payload);
	return rc;
}

/* ---- tasks ---- */

/* A copy of this process, which a function made with fork(). */
static bool is_copy;

static void note_copy(void)
{
	is_copy = true;
}

/* Which file a descriptor leads to; 0: to none. */
static ino_t inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

/* As a function left them closed, the next file that anybody opens would be stdout. */
static void open_standard(const struct worker *worker)
{
	if (fcntl(STDIN_FILENO, F_GETFD) < 0)
		open("/dev/null", O_RDONLY);
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		dup2(worker->out, STDOUT_FILENO);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		dup2(worker->err, STDERR_FILENO);
}

/* What was written to our own stdout and stderr.  Two system calls for each task are a third of a
 * short one: hence the glance, where it is not the last for now. */
static void take_output(struct worker *worker, bool is_last)
{
	const bool must = is_last || worker->progress->careful || !worker->glance_out ||
			  !worker->glance_err;

	if (__fpending(stdout) > 0)
		fflush(stdout);
	if (!must && !*worker->glance_out && !*worker->glance_err)
		return;
	if (capture_take(worker->out, CAPTURE_ROOM_BYTES, worker->outcome.out) == -EBADF ||
	    capture_take(worker->err, CAPTURE_ROOM_BYTES, worker->outcome.err) == -EBADF ||
	    inode_of(worker->link_fd) != worker->link_inode) {
		worker->progress->severed = 1;
		_exit(125);
	}
	open_standard(worker);
}

static void say_oom(struct outcome *outcome)
{
	const size_t at = strlen(outcome->error);

	if (outcome->kind == IPP__OUTCOME__OK || !oom_struck())
		return;
	snprintf(outcome->error + at, sizeof(outcome->error) - at, OOM_TEXT);
	oom_mark();
}

static void run_task(struct worker *worker, struct opened_call *opened, struct task *task,
		     bool is_last)
{
	const int64_t started_us = clock_us(CLOCK_REALTIME);
	const int64_t start_us = clock_us(CLOCK_MONOTONIC);

	progress_begin(worker->progress, opened->call->request, task->index, started_us, start_us);
	worker->halted = progress_is_held(worker->progress);
	if (worker->halted) {
		worker->progress->running = 0;
		return;
	}
	outcome_reset(&worker->outcome);
	stray_forget();
	opened_call_run(opened, task, &worker->outcome);
	if (is_copy) /* its function was to return but once */
		_exit(125);
	take_output(worker, is_last);
	say_oom(&worker->outcome);
	gather(worker, opened, task->index, started_us, clock_us(CLOCK_MONOTONIC) - start_us);
	worker->progress->running = 0;
}

/* The item of the i-th task (borrows; *text is freed by the caller).  An integer's text is put in
 * `number`, so that a function which reads texts takes ranges as well. */
static struct ipp_value item_of(const Ipp__Tasks *tasks, size_t i, const uint8_t *bytes,
				char **text, char number[INTEGER_BYTES])
{
	if (tasks->range) {
		const int64_t integer = items_integer(tasks->start, tasks->step, i);

		snprintf(number, INTEGER_BYTES, "%" PRId64, integer);
		return (struct ipp_value){.kind = IPP_INTEGER,
					  .integer = integer,
					  .real = (double)integer,
					  .text = number};
	}
	*text = malloc(tasks->item_bytes[i] + 1);
	if (!*text)
		exit(125);
	memcpy(*text, bytes, tasks->item_bytes[i]); /* a NUL may be among them */
	(*text)[tasks->item_bytes[i]] = '\0';
	return (struct ipp_value){.kind = IPP_TEXT, .text = *text, .bytes = tasks->item_bytes[i]};
}

static void take_tasks(struct worker *worker, const struct frame *frame)
{
	Ipp__Tasks *tasks = ipp__tasks__unpack(NULL, frame->head_bytes, frame->head);
	struct opened_call *opened = tasks ? opened_call_find(worker->calls, tasks->request) : NULL;
	/* Items that are all empty have no payload. */
	const uint8_t *bytes = frame->payload ? frame->payload->data : (const uint8_t *)"";

	if (!opened) /* the engine checks what it passes on: this cannot be */
		exit(125);
	oom_mark();
	for (size_t i = 0; i < tasks->count && !worker->halted; i++) {
		struct task task = {.index = tasks->first + i,
				    .item = {.text = ""},
				    .variables = worker->variables,
				    .engine = worker->rank,
				    .store = store,
				    /* A process, as all that wait were: they left nobody. */
				    .tell = send_results,
				    .worker = worker};
		char *text = NULL, number[INTEGER_BYTES];

		if (!opened->call->targets)
			task.item = item_of(tasks, i, bytes, &text, number);
		if (!tasks->range)
			bytes += tasks->item_bytes[i];
		run_task(worker, opened, &task, i + 1 == tasks->count);
		free(text);
	}
	end_tasks(worker);
	ipp__tasks__free_unpacked(tasks, NULL);
}

static void take_hold(struct worker *worker, const struct frame *frame)
{
	(void)frame;
	worker->halted = false;
	send_frame(worker, FRAME_HOLD, NULL, NULL);
}

static const struct {
	uint16_t type;
	void (*take)(struct worker *worker, const struct frame *frame);
	bool in_turn; /* with tasks */
} rules[] = {
	{FRAME_PUSH, take_push, true},	   {FRAME_CALL, take_call, false},
	{FRAME_TASKS, take_tasks, true},   {FRAME_CLOSE, take_close, false},
	{FRAME_REMOVE, take_remove, true}, {FRAME_HOLD, take_hold, false},
};

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct worker *worker = owner;

	(void)link;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == frame->type && !(rules[i].in_turn && worker->halted)) {
			rules[i].take(worker, frame);
			return;
		}
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	struct worker *worker = owner;

	(void)link;
	(void)why;
	event_base_loopbreak(worker->base);
}

static const struct link_events events = {.on_frame = on_frame, .on_close = on_close};

void worker_run(struct event_base *base, int link_fd, struct progress *progress,
		struct outbox *outbox, uint32_t rank, int out, int err)
{
	struct worker worker = {.base = base,
				.progress = progress,
				.outbox = outbox,
				.rank = rank,
				.link_fd = link_fd,
				.link_inode = inode_of(link_fd),
				.out = out,
				.err = err};

	pthread_atfork(NULL, NULL, note_copy);
	worker.glance_out = capture_glance(out);
	worker.glance_err = capture_glance(err);
	worker.variables = variables_new();
	worker.outcome.out = evbuffer_new();
	worker.outcome.err = evbuffer_new();
	worker.link = link_unix(base, link_fd, &events, &worker);
	if (worker.link && worker.variables && worker.outcome.out && worker.outcome.err) {
		link_trust(worker.link);
		link_send(worker.link, FRAME_READY, NULL, NULL);
		event_base_dispatch(base);
	}
	while (worker.calls)
		opened_call_close(&worker.calls, worker.calls->call->request);
	link_free(worker.link);
	variables_free(worker.variables);
	outcome_reset(&worker.outcome);
	evbuffer_free(worker.outcome.out);
	evbuffer_free(worker.outcome.err);
}
