/* libFuzzer target: an engine between a controller, a worker and two neighbours that say whole
 * frames in any order.  `engine_fuzz FILE` replays one input: a byte for each thing that happens,
 * with what message.h takes for it.  In place of the network and of a child process are the two
 * ends of socket pairs; neighbours meet at sockets of this process.
 * Whatever comes, the engine goes on or leaves, and gives back all that it took. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/worker_process.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/unix_socket.h"
#include "tests/fuzz/dial.h"

static struct event_base *loop;
static struct source source;
static struct event *next; /* thing that happens, once a turn of the loop */

static const struct link_events peer_events = {.on_frame = end_frame, .on_close = end_closed};

/* ---- the worker ---- */

struct worker_process {
	struct link *link;
	struct event *death;
	const struct worker_events *events;
	void *owner;
	struct progress progress;
	bool careful, dead;
};

static struct worker_process *current; /* that the engine has */
static struct link *in_worker;
static unsigned n_workers;

static void worker_frame(void *owner, struct link *link, const struct frame *frame)
{
	(void)link;
	((struct worker_process *)owner)
		->events->on_frame(((struct worker_process *)owner)->owner, frame);
}

static void worker_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	(void)why;
	worker_kill(owner);
}

static const struct link_events worker_link_events = {
	.on_frame = worker_frame,
	.on_close = worker_close,
};

static void death_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker_process *worker = arg;

	(void)fd;
	(void)what;
	worker->events->on_death(worker->owner, SIGKILL);
}

struct worker_process *worker_start(struct event_base *base, uint32_t rank, bool careful,
				    const struct worker_events *events, void *owner,
				    struct ipp_error *err)
{
	struct worker_process *worker = calloc(1, sizeof(*worker));

	(void)rank;
	if (!worker || n_workers++ > 100) {
		free(worker);
		ipp_fail(err, EAGAIN, "there are no more workers");
		return NULL;
	}
	*worker = (struct worker_process){.events = events, .owner = owner, .careful = careful};
	worker->link = link_unix(base, end_join(&in_worker, base, &peer_events),
				 &worker_link_events, worker);
	worker->death = event_new(base, -1, 0, death_cb, worker);
	if (!worker->link || !worker->death)
		abort();
	link_trust(worker->link);
	current = worker;
	return worker;
}

void worker_free(struct worker_process *worker)
{
	if (!worker)
		return;
	link_free(worker->link);
	event_free(worker->death);
	if (current == worker)
		current = NULL;
	free(worker);
}

void worker_kill(struct worker_process *worker)
{
	worker->dead = true;
	event_active(worker->death, 0, 0);
}

struct link *worker_link(const struct worker_process *worker)
{
	return worker->link;
}

void worker_hold(struct worker_process *worker, bool held)
{
	(void)worker;
	(void)held;
}

bool worker_was_severed(const struct worker_process *worker)
{
	return worker->careful;
}

bool worker_is_careful(const struct worker_process *worker)
{
	return worker->careful;
}

bool worker_is_stopped(const struct worker_process *worker)
{
	return worker->dead;
}

void worker_last_words(const struct worker_process *worker, struct evbuffer *out,
		       struct evbuffer *err)
{
	(void)worker;
	evbuffer_add(out, "out", 3);
	evbuffer_add(err, "err", 3);
}

pid_t worker_pid(const struct worker_process *worker)
{
	return worker->dead ? 0 : getpid();
}

struct progress worker_progress(const struct worker_process *worker)
{
	return worker->progress;
}

bool worker_running(const struct worker_process *worker, struct progress *out)
{
	return progress_read(&worker->progress, out);
}

void worker_take_waiting(struct worker_process *worker)
{
	(void)worker;
}

/* ---- the controller ---- */

static struct link *in_controller;
static char share[CONNECTION_NAME_BYTES]; /* where the engine listens for neighbours */

/* The network is one that it shares payloads over. */
SSL *link_ssl(struct link *link)
{
	return (SSL *)link;
}

static void controller_frame(void *end, struct link *link, const struct frame *frame)
{
	Ipp__Hello *hello = frame->type == FRAME_HELLO ? (Ipp__Hello *)look_at(frame) : NULL;

	end_frame(end, link, frame);
	if (!hello)
		return;
	snprintf(share, sizeof(share), "%s", hello->share);
	forget(&hello->base);
}

static const struct link_events controller_events = {
	.on_frame = controller_frame,
	.on_close = end_closed,
};

int dialled(struct event_base *dialler)
{
	return end_join(&in_controller, dialler, &controller_events);
}

/* ---- the neighbours: a lead, whom the engine asks, and one that asks the engine ---- */

static char lead_name[CONNECTION_NAME_BYTES];
static int lead_fd = -1; /* there it listens */
static struct link *in_lead, *in_asker;

static void lead_listen(void)
{
	connection_name(lead_name, "7");
	lead_fd = unix_listen(lead_name, NULL);
	if (lead_fd < 0)
		abort();
}

/* Forget who connected to it. */
static void lead_accept(struct link **end)
{
	int fd;

	while ((fd = accept4(lead_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (end)
			end_open(end, loop, &peer_events, fd);
		else
			close(fd);
	}
}

static void asker_connect(void)
{
	const int fd = share[0] ? unix_connect(share, NULL) : -1;

	if (fd >= 0)
		end_open(&in_asker, loop, &peer_events, fd);
}

/* Of one byte each, as many as the value that push_by_lead() tells of has. */
static struct blob *shared_payload(uint8_t what)
{
	return what & 128 ? blob_copy("abcdefg", what >> 4 & 7) : NULL;
}

static void say_share(struct link *link, uint8_t what)
{
	Ipp__Share message = IPP__SHARE__INIT;
	struct blob *payload = shared_payload(what);

	message.serial = what & 15;
	link_send(link, FRAME_SHARE, &message.base, payload);
	blob_unref(payload);
}

static void push_by_lead(uint8_t what)
{
	Ipp__Push push = IPP__PUSH__INIT;
	Ipp__Value value = IPP__VALUE__INIT;
	Ipp__Array array = IPP__ARRAY__INIT;
	uint64_t shape = what >> 4 & 7;

	array.dtype = (char *)"|u1";
	array.n_shape = 1;
	array.shape = &shape;
	array.bytes = shape;
	value.name = (char *)"x";
	value.kind_case = IPP__VALUE__KIND_ARRAY;
	value.array = &array;
	push.request = push.serial = what & 15;
	push.value = &value;
	push.lead = lead_name;
	link_send(in_controller, FRAME_PUSH, &push.base, NULL);
}

static void call_by_lead(uint8_t what)
{
	Ipp__Call call = IPP__CALL__INIT;

	call.request = what & 3;
	call.serial = what & 15;
	call.runtime = (char *)"native";
	call.module_bytes = what >> 4 & 7;
	call.lead = lead_name;
	link_send(in_controller, FRAME_CALL, &call.base, NULL);
}

static void neighbours(void)
{
	static const uint16_t any[] = {FRAME_SHARE, FRAME_REFUSE};
	const uint8_t who = take(&source), what = take(&source);
	struct link **end = who & 8 ? &in_lead : &in_asker;

	if (who % 8 == 0 && in_controller)
		push_by_lead(what);
	else if (who % 8 == 1 && in_controller)
		call_by_lead(what);
	else if (who % 8 == 2 && in_controller)
		say_share(in_controller, what);
	else if (who % 8 == 3)
		lead_accept(&in_lead);
	else if (who % 8 == 4)
		asker_connect();
	else if (who % 8 == 5 && *end)
		say_share(*end, what);
	else if (who % 8 == 6 && *end)
		send_any(&source, *end, any, N(any));
	else if (who % 8 == 7 && *end)
		end_closed(end, *end, NULL);
}

/* ---- what happens ---- */

static void say_welcome(void)
{
	Ipp__Welcome welcome = IPP__WELCOME__INIT;

	link_send(in_controller, FRAME_WELCOME, &welcome.base, NULL);
}

/* A map of one request, of numbers or of four texts. */
static void give_tasks(void)
{
	Ipp__Call call = IPP__CALL__INIT;
	Ipp__Tasks tasks = IPP__TASKS__INIT;
	uint64_t sizes[] = {1, 2, 0, 3};
	const uint8_t what = take(&source);
	struct blob *texts = what & 1 ? blob_copy("abcdef", 6) : NULL;

	call.request = tasks.request = what >> 1 & 3;
	call.task_timeout_ms = what & 8 ? 1 : 0;
	call.runtime = (char *)(what & 16 ? "native" : "command");
	link_send(in_controller, FRAME_CALL, &call.base, NULL);
	tasks.first = what >> 5;
	tasks.count = texts ? 4 : 3;
	tasks.range = !texts;
	tasks.n_item_bytes = texts ? 4 : 0;
	tasks.item_bytes = sizes;
	link_send(in_controller, FRAME_TASKS, &tasks.base, texts);
	blob_unref(texts);
}

static void give_result(void)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;
	const uint8_t what = take(&source);

	results.request = what & 3;
	result.index = what >> 2;
	results.n_results = 1;
	results.results = &one;
	link_send(in_worker, FRAME_RESULTS, &results.base, NULL);
}

static void begin_task(void)
{
	const uint8_t what = take(&source);

	progress_begin(&current->progress, what & 3, what >> 2, 0, 0);
}

/* What engines know from a controller, and from a worker. */
static const uint16_t controllers[] = {FRAME_PUSH,   FRAME_CALL,    FRAME_TASKS,  FRAME_CANCEL,
				       FRAME_CLOSE,  FRAME_PROBE,   FRAME_PULL,	  FRAME_LIST,
				       FRAME_REMOVE, FRAME_GOODBYE, FRAME_RECALL, FRAME_SHARE};
static const uint16_t workers[] = {FRAME_RESULTS, FRAME_PUSH, FRAME_HOLD};

static void next_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once;
	const uint8_t happens = source.left > 0 ? take(&source) : 255;

	(void)fd;
	(void)what;
	(void)arg;
	if (happens == 255 && in_controller) /* or the engine would wait for more */
		end_closed(&in_controller, in_controller, NULL);
	else if (happens == 255)
		event_base_loopbreak(loop);
	else if (happens % 8 == 0 && happens >= 64)
		neighbours();
	else if (happens % 8 == 0 && in_controller)
		say_welcome();
	else if (happens % 8 <= 2 && in_controller)
		send_any(&source, in_controller, controllers, N(controllers));
	else if (happens % 8 == 3 && in_controller)
		give_tasks();
	else if (happens % 8 == 4 && in_worker)
		give_result();
	else if (happens % 8 == 5 && in_worker && happens < 128)
		send_any(&source, in_worker, workers, N(workers));
	else if (happens % 8 == 5 && in_worker)
		link_send(in_worker, FRAME_READY, NULL, NULL);
	else if (happens % 8 == 6 && current)
		begin_task();
	else if (happens % 8 == 7 && current && !current->dead)
		worker_kill(current);
	event_add(next, &at_once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct connection connection = {.job = (char *)"7", .host = (char *)"head"};
	struct engine_options options = {.connection = &connection, .rank = 0};

	source = (struct source){data, bytes};
	n_workers = 0;
	share[0] = '\0';
	if (lead_fd < 0)
		lead_listen();
	loop = event_base_new();
	next = loop ? event_new(loop, -1, 0, next_cb, NULL) : NULL;
	if (!next)
		abort();
	event_active(next, 0, 0);
	engine_run(loop, &options);
	lead_accept(NULL);
	link_free(in_worker);
	link_free(in_controller);
	link_free(in_lead);
	link_free(in_asker);
	in_worker = in_controller = in_lead = in_asker = NULL;
	event_free(next);
	event_base_free(loop);
	return 0;
}
