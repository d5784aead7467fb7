/* libFuzzer target: a worker whose engine says whole frames in any order, and the native runtime
 * with functions that look at all they are given and give anything.  `worker_fuzz FILE` replays one
 * input: a byte for each thing that happens, with what message.h takes for it.
 * The engine checks what it passes on, and so it does here.  Whatever comes, what a function sees
 * is whole, the worker goes on, and what it says is whole. */
#include <dlfcn.h>
#include <event2/event.h>

#include "engine/capture.h"
#include "engine/ipp/module.h"
#include "engine/orphans.h"
#include "engine/progress.h"
#include "engine/runtime.h"
#include "engine/runtimes/object.h"
#include "engine/worker.h"
#include "proto/error.h"
#include "proto/extent.h"
#include "proto/items.h"
#include "proto/npy.h"
#include "proto/variable.h"
#include "tests/fuzz/peer.h"

#define REQUESTS 4
#define TASKS_MAX 16
#define BYTES_MAX 256

static struct event_base *loop;
static struct source source;
static struct event *next; /* thing that happens, once a turn of the loop */
static struct link *in_engine;
static struct progress *progress;
static bool is_open[REQUESTS];

/* ---- what stands around the worker ---- */

/* No other runtime: nothing is started. */
static int refuse(void **state, const Ipp__Call *call, const struct variables *arguments,
		  struct blob *payload, struct ipp_error *err)
{
	(void)state;
	(void)arguments;
	(void)payload;
	return ipp_fail(err, EINVAL, "no %s here", call->runtime);
}

const struct runtime command_runtime = {.name = "command", .open = refuse};
const struct runtime script_runtime = {.name = "script", .open = refuse};
const struct runtime shell_runtime = {.name = "shell", .open = refuse};

/* The module is this program. */
int object_load(struct object *object, const char *path, const struct blob *payload, size_t bytes,
		struct ipp_error *err)
{
	assert(path[0] && bytes <= (payload ? payload->bytes : 0));
	(void)err;
	*object = (struct object){.handle = dlopen(NULL, RTLD_NOW), .fd = -1};
	return 0;
}

void object_unload(struct object *object)
{
	if (object->handle)
		dlclose(object->handle);
}

/* Functions start nothing and write nothing. */
bool orphans_any_to_kill(void)
{
	return false;
}

bool orphans_kill(void)
{
	return true;
}

volatile uint64_t *capture_glance(int fd)
{
	static volatile uint64_t nothing;

	(void)fd;
	return &nothing;
}

int capture_take(int fd, size_t most, struct evbuffer *into)
{
	(void)fd;
	(void)most;
	(void)into;
	return 0;
}

/* ---- functions ---- */

IPP_MODULE

IPP_MODULE_EXPORT ipp_function look, give;

static void touch(const struct ipp_value *value)
{
	struct npy npy;
	unsigned sum = 0;

	if (!value)
		return;
	assert(value->text);
	sum += (unsigned)strlen(value->text);
	if (value->kind == IPP_TEXT)
		sum += (unsigned char)value->text[value->bytes];
	if (value->kind == IPP_ARRAY) {
		assert(npy_init(&npy, value->dtype, value->n_dims, value->shape,
				value->fortran_order, "", NULL) == 0 &&
		       npy.data_bytes == value->bytes);
		for (size_t i = 0; i < value->bytes; i++)
			sum += ((const uint8_t *)value->data)[i];
	}
	*(volatile unsigned *)&sum = sum;
}

int look(struct ipp_call *call)
{
	static const char *const names[] = {"x", "y", "", "7"};
	void **state = ipp_state(call, free);

	if (!*state)
		*state = malloc(1);
	for (size_t i = 0; i < N(names); i++) {
		touch(ipp_argument(call, names[i]));
		touch(ipp_variable(call, names[i]));
	}
	touch(ipp_item(call));
	return ipp_return(call, ipp_item(call));
}

static struct ipp_value any_value(void)
{
	static const char *const dtypes[] = {"|u1", "<f8", "<U3", "x", "", ">i2", "O", NULL};
	static const char texts[] = "text\0text", data[BYTES_MAX];
	static uint64_t shape[3];
	const uint8_t what = take(&source);
	struct ipp_value value = {.kind = (enum ipp_kind)(what % 6)};

	value.integer = (int64_t)take_number(&source);
	value.real = (double)value.integer;
	value.text = what & 128 ? NULL : texts;
	value.bytes = take(&source);
	if (value.kind == IPP_TEXT)
		value.bytes %= sizeof(texts);
	value.dtype = dtypes[take(&source) % N(dtypes)];
	value.n_dims = take(&source) % (N(shape) + 1);
	for (size_t i = 0; i < value.n_dims; i++)
		shape[i] = take_number(&source);
	value.shape = what & 64 ? NULL : shape;
	value.data = what & 32 ? NULL : data;
	return value;
}

int give(struct ipp_call *call)
{
	const uint8_t what = take(&source);
	struct ipp_value value = any_value();
	char *name;
	int rc;

	if (what % 4 == 0)
		return ipp_fail_call(call, what & 16 ? NULL : "it says so");
	if (what % 4 == 1)
		return what;
	if (what % 4 == 2)
		return ipp_return(call, &value);
	name = take_text(&source);
	rc = ipp_store(call, name, &value);
	free(name);
	return rc;
}

/* ---- the engine ---- */

/* Every result, and every variable, is whole. */
static void engine_frame(void *end, struct link *link, const struct frame *frame)
{
	ProtobufCMessage *head = look_at(frame);

	(void)end;
	(void)link;
	if (frame->type == FRAME_PUSH)
		assert(variable_check(((Ipp__Push *)head)->value, frame->payload, NULL) == 0);
	if (frame->type == FRAME_RESULTS)
		assert(((Ipp__Results *)head)->n_results > 0 &&
		       extents_fit((Ipp__Results *)head, frame->payload));
	forget(head);
}

static const struct link_events engine_events = {
	.on_frame = engine_frame,
	.on_close = end_closed,
};

/* A call of one of the functions, else of anything. */
static void give_call(uint64_t request)
{
	static const char *const functions[] = {"m.so:look", "m.so:give", "m.so:ipp_module_version",
						"m.so:none"};
	const uint8_t what = take(&source);
	Ipp__Call *call = (Ipp__Call *)take_message(&source, heads[FRAME_CALL]);
	struct blob *payload = take_payload(&source);
	char *function = call->function, *runtime = call->runtime;

	call->request = request;
	if (what < 192) {
		call->function = (char *)functions[what % 2];
		call->runtime = (char *)"native";
	} else if (what < 224) {
		call->function = (char *)functions[2 + what % 2];
	}
	link_send(in_engine, FRAME_CALL, &call->base, payload);
	is_open[request] = true;
	call->function = function;
	call->runtime = runtime;
	protobuf_c_message_free_unpacked(&call->base, NULL);
	blob_unref(payload);
}

/* A map with an array, over whose rows it goes mostly. */
static void give_array(uint64_t request)
{
	static const char *const dtypes[] = {"|u1", "<f4", "<i8", "<U1", ">u2", "|b1"};
	static const uint64_t sizes[] = {1, 4, 8, 4, 2, 1};
	const uint8_t what = take(&source), more = take(&source);
	Ipp__Call call = IPP__CALL__INIT;
	Ipp__Value value = IPP__VALUE__INIT, *one = &value;
	Ipp__Array array = IPP__ARRAY__INIT;
	uint64_t shape[] = {what & 3, more & 7};
	struct blob *payload;

	array.dtype = (char *)dtypes[(what >> 2) % N(dtypes)];
	array.n_shape = 1 + (more >> 3 & 1);
	array.shape = shape;
	array.fortran_order = more & 128;
	array.bytes = sizes[(what >> 2) % N(dtypes)] * shape[0] *
		      (array.n_shape == 2 ? shape[1] : 1);
	payload = array.bytes > 0
			  ? blob_copy(memset((char[BYTES_MAX]){0}, more, BYTES_MAX), array.bytes)
			  : NULL;
	array.bytes -= more & 64 && array.bytes > 0;
	value.name = (char *)"x";
	value.kind_case = IPP__VALUE__KIND_ARRAY;
	value.array = &array;
	call.request = request;
	call.runtime = (char *)"native";
	call.function = (char *)"m.so:look";
	call.rows = !(more & 16);
	call.n_arguments = 1;
	call.arguments = &one;
	link_send(in_engine, FRAME_CALL, &call.base, payload);
	is_open[request] = true;
	blob_unref(payload);
}

static void give_range(uint64_t request)
{
	const uint8_t what = take(&source);
	Ipp__Tasks tasks = IPP__TASKS__INIT;

	tasks.request = request;
	tasks.count = 1 + what % 8;
	tasks.range = true;
	tasks.start = (what >> 3 & 7) - 1;
	tasks.step = what >> 6;
	if (is_open[request])
		link_send(in_engine, FRAME_TASKS, &tasks.base, NULL);
}

/* Any tasks that an engine takes from its controller, but few. */
static void give_tasks(uint64_t request)
{
	Ipp__Tasks *tasks = (Ipp__Tasks *)take_message(&source, heads[FRAME_TASKS]);
	struct blob *payload = take_payload(&source);
	struct items *items = NULL;

	tasks->request = request;
	if (!tasks->range)
		tasks->count = tasks->n_item_bytes;
	if (is_open[request] && tasks->count <= TASKS_MAX &&
	    items_new(&items, tasks, payload, NULL) == 0)
		link_send(in_engine, FRAME_TASKS, &tasks->base, payload);
	items_unref(items);
	blob_unref(payload);
	protobuf_c_message_free_unpacked(&tasks->base, NULL);
}

static void push(void)
{
	Ipp__Push *message = (Ipp__Push *)take_message(&source, heads[FRAME_PUSH]);
	struct blob *payload = take_payload(&source);

	if (variable_check(message->value, payload, NULL) == 0)
		link_send(in_engine, FRAME_PUSH, &message->base, payload);
	blob_unref(payload);
	protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void remove_one(void)
{
	Ipp__Remove removal = IPP__REMOVE__INIT;
	char *name = take_text(&source);

	removal.name = name;
	link_send(in_engine, FRAME_REMOVE, &removal.base, NULL);
	free(name);
}

static void close_call(uint64_t request)
{
	Ipp__Close closed = IPP__CLOSE__INIT;

	closed.request = request;
	link_send(in_engine, FRAME_CLOSE, &closed.base, NULL);
	is_open[request] = false;
}

static void hold_or_not(uint8_t happens)
{
	progress_hold(progress, happens & 128);
	if (happens & 64)
		link_send(in_engine, FRAME_HOLD, NULL, NULL);
}

static void next_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once;
	const uint8_t happens = take(&source);
	const uint64_t request = happens / 8 % REQUESTS;

	(void)fd;
	(void)what;
	(void)arg;
	if (!in_engine)
		return;
	if (source.left == 0)
		end_closed(&in_engine, in_engine, NULL);
	else if (happens % 8 == 0)
		give_call(request);
	else if (happens % 8 == 1)
		give_array(request);
	else if (happens % 8 == 2)
		give_range(request);
	else if (happens % 8 == 3)
		give_tasks(request);
	else if (happens % 8 == 4)
		push();
	else if (happens % 8 == 5)
		remove_one();
	else if (happens % 8 == 6)
		close_call(request);
	else
		hold_or_not(happens);
	event_add(next, &at_once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct outbox outbox;
	struct progress page = {0};

	outbox.n_results = outbox.head_bytes = outbox.payload_bytes = 0;
	source = (struct source){data, bytes};
	progress = &page;
	memset(is_open, 0, sizeof(is_open));
	loop = event_base_new();
	next = loop ? event_new(loop, -1, 0, next_cb, NULL) : NULL;
	if (!next)
		abort();
	event_active(next, 0, 0);
	worker_run(loop, end_join(&in_engine, loop, &engine_events), progress, &outbox, 3, -1, -1);
	if (in_engine)
		end_closed(&in_engine, in_engine, NULL);
	event_free(next);
	event_base_free(loop);
	return 0;
}
