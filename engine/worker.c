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
#include "engine/orphans.h"
#include "engine/progress.h"
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

static const struct runtime *const runtimes[] = {&native_runtime, &command_runtime, &script_runtime,
						 &shell_runtime};

/* A call that came and was not closed yet.  Its first task opens it, so that what happens then (a
 * module's constructors run) is put down to a task. */
struct opened {
	struct opened *next;
	Ipp__Call *call;
	struct blob *payload; /* of its arguments */
	bool tried;
	struct variables *arguments;
	const struct runtime *runtime;
	void *state;
	char error[512]; /* why it could not be opened; tasks fail with it */
};

struct worker {
	struct event_base *base;
	struct link *link;
	struct progress *progress;
	struct outbox *outbox; /* results not sent yet: all of one request */
	size_t n_gathered;     /* since the last frame, with those that the engine took */
	int64_t gathered_since_us;
	bool halted; /* at a task while held: it and what follows come anew after HOLD */
	struct variables *variables;
	struct opened *calls;
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
	exit(125);
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

/* A task's outcome as a message (borrows it). */
struct message {
	Ipp__Results results;
	Ipp__Result result, *one;
	Ipp__Value value;
	Ipp__Array array;
};

static void describe(const struct worker *worker, uint64_t request, uint64_t index,
		     int64_t started_us, int64_t elapsed_us, struct message *out)
{
	const struct outcome *outcome = &worker->outcome;
	Ipp__Result *result = &out->result;

	ipp__results__init(&out->results);
	ipp__result__init(result);
	out->one = result;
	out->results.request = request;
	out->results.n_results = 1;
	out->results.results = &out->one;
	result->index = index;
	result->engine = worker->rank;
	result->outcome = outcome->kind;
	result->code = outcome->code;
	result->stray = outcome->kind == IPP__OUTCOME__KILLED && stray_came(outcome->code);
	result->error = (char *)outcome->error;
	result->started_us = started_us;
	result->elapsed_us = elapsed_us > 0 ? (uint64_t)elapsed_us : 0;
	result->stdout_bytes = evbuffer_get_length(outcome->out);
	result->stderr_bytes = evbuffer_get_length(outcome->err);
	if (outcome->kind != IPP__OUTCOME__OK || outcome->value.kind == IPP_NONE)
		return;
	value_describe("", &outcome->value, &out->value, &out->array);
	result->value = &out->value;
}

/* Lay out stdout, stderr and array behind `offset` bytes of a payload; NULL only counts. */
static size_t lay_out(const struct message *message, const struct outcome *outcome, uint8_t *to,
		      size_t offset)
{
	const size_t out_bytes = message->result.stdout_bytes;
	const size_t err_bytes = message->result.stderr_bytes;
	size_t end = offset + out_bytes + err_bytes;
	size_t padding;

	if (to && out_bytes > 0)
		evbuffer_copyout(outcome->out, to + offset, out_bytes);
	if (to && err_bytes > 0)
		evbuffer_copyout(outcome->err, to + offset + out_bytes, err_bytes);
	if (value_array_bytes(message->result.value) == 0)
		return end;
	padding = array_padding(end);
	if (to)
		memset(to + end, 0, padding);
	end += padding;
	if (to)
		memcpy(to + end, outcome->value.data, outcome->value.bytes);
	return end + outcome->value.bytes;
}

/* It is larger than the outbox. */
static void send_alone(struct worker *worker, const struct message *message)
{
	const size_t bytes = lay_out(message, &worker->outcome, NULL, 0);
	struct blob *payload = bytes ? blob_new(bytes) : NULL;

	if (payload)
		lay_out(message, &worker->outcome, payload->data, 0);
	if (bytes && (!payload || blob_seal(payload, NULL) < 0))
		no_memory(worker, bytes);
	orphans_kill();
	oom_mark();
	send_frame(worker, FRAME_RESULTS, &message->results.base, payload);
	blob_unref(payload);
	if (bytes > LARGE_BYTES)
		malloc_trim(0);
}

/* Whether there was room for it. */
static bool put(struct worker *worker, struct message *message)
{
	struct outbox *outbox = worker->outbox;
	const size_t head_bytes = ipp__results__get_packed_size(&message->results);
	const size_t payload_bytes = lay_out(message, &worker->outcome, NULL, 0) + ARRAY_ALIGNMENT;
	size_t end;

	if (!outbox_open(outbox, head_bytes, payload_bytes))
		return false;
	if (outbox->n_results > 0) /* they have said it */
		message->results.request = 0;
	end = lay_out(message, &worker->outcome, outbox->payload, outbox->payload_bytes);
	outbox_close(outbox,
		     ipp__results__pack(&message->results, outbox->head + outbox->head_bytes),
		     end - outbox->payload_bytes);
	return true;
}

static void gather(struct worker *worker, const struct opened *opened, uint64_t index,
		   int64_t started_us, int64_t elapsed_us)
{
	const int64_t gather_us = opened->runtime == &native_runtime ? GATHER_US
								     : GATHER_PROCESSES_US;
	struct message message;

	describe(worker, opened->call->request, index, started_us, elapsed_us, &message);
	if (!put(worker, &message)) {
		end_tasks(worker);
		if (!put(worker, &message)) {
			send_alone(worker, &message);
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

/* ---- calls ---- */

static struct opened *opened_find(const struct worker *worker, uint64_t request)
{
	struct opened *opened = worker->calls;

	while (opened && opened->call->request != request)
		opened = opened->next;
	return opened;
}

static int open_call(struct opened *opened, struct ipp_error *err)
{
	size_t offset = opened->call->module_bytes;

	opened->tried = true;
	if (offset > (opened->payload ? opened->payload->bytes : 0))
		return ipp_fail(err, EPROTO, "its module did not arrive whole");
	opened->arguments = variables_new();
	if (!opened->arguments)
		return ipp_fail(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < opened->call->n_arguments; i++)
		if (!value_is_whole(opened->call->arguments[i]) ||
		    variables_set(opened->arguments, opened->call->arguments[i], opened->payload,
				  &offset) < 0)
			return ipp_fail(err, EPROTO, "its arguments did not arrive whole");
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (strcmp(runtimes[i]->name, opened->call->runtime) == 0) {
			const int rc = runtimes[i]->open(&opened->state, opened->call,
							 opened->arguments, opened->payload, err);

			if (rc == 0)
				opened->runtime = runtimes[i];
			return rc;
		}
	return ipp_fail(err, EINVAL, "this engine has no runtime '%s'", opened->call->runtime);
}

static void take_call(struct worker *worker, const struct frame *frame)
{
	struct opened *opened = calloc(1, sizeof(*opened));

	if (!opened)
		exit(125);
	opened->call = ipp__call__unpack(NULL, frame->head_bytes, frame->head);
	if (!opened->call)
		exit(125);
	opened->payload = blob_ref(frame->payload);
	opened->next = worker->calls;
	worker->calls = opened;
}

static void close_call(struct worker *worker, uint64_t request)
{
	struct opened **at = &worker->calls;
	struct opened *opened = opened_find(worker, request);

	if (!opened)
		return;
	while (*at != opened)
		at = &(*at)->next;
	*at = opened->next;
	if (opened->runtime)
		opened->runtime->close(opened->state);
	variables_free(opened->arguments);
	blob_unref(opened->payload);
	ipp__call__free_unpacked(opened->call, NULL);
	free(opened);
}

static void take_close(struct worker *worker, const struct frame *frame)
{
	Ipp__Close *closed = ipp__close__unpack(NULL, frame->head_bytes, frame->head);

	if (closed)
		close_call(worker, closed->request);
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

static void run_task(struct worker *worker, struct opened *opened, struct task *task, bool is_last)
{
	const int64_t started_us = clock_us(CLOCK_REALTIME);
	const int64_t start_us = clock_us(CLOCK_MONOTONIC);
	struct ipp_error err;

	progress_begin(worker->progress, opened->call->request, task->index, started_us, start_us);
	worker->halted = progress_is_held(worker->progress);
	if (worker->halted) {
		worker->progress->running = 0;
		return;
	}
	outcome_reset(&worker->outcome);
	stray_forget();
	if (!opened->tried && open_call(opened, &err) < 0)
		snprintf(opened->error, sizeof(opened->error), "%s", err.text);
	if (opened->runtime)
		opened->runtime->run(opened->state, task, &worker->outcome);
	else
		outcome_fail(&worker->outcome, IPP__OUTCOME__ERROR, 1, "%s", opened->error);
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
	struct opened *opened = tasks ? opened_find(worker, tasks->request) : NULL;
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
		close_call(&worker, worker.calls->call->request);
	link_free(worker.link);
	variables_free(worker.variables);
	outcome_reset(&worker.outcome);
	evbuffer_free(worker.outcome.out);
	evbuffer_free(worker.outcome.err);
}
