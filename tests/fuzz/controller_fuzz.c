/* libFuzzer target: a controller and peers that say whole frames in any order.  `controller_fuzz
 * FILE` replays one input: a byte for the kind of cluster, then a byte for each thing that happens,
 * with what message.h takes for it.
 * Whatever comes, the controller goes on or says goodbye, and gives back all that it took. */
#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

#include "controller/cluster.h"
#include "controller/door.h"
#include "controller/setup.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/unix_socket.h"
#include "tests/fuzz/peer.h"

#define PEERS 6

struct peer {
	struct link *link; /* NULL: not connected */
	bool is_engine;
	uint32_t client;     /* its number */
	uint64_t n_requests; /* it made */
	/* Of an engine: the tasks it was given last, and the push. */
	uint64_t request, next, end, pushed;
};

static struct event_base *base;
static struct peer peers[PEERS];
static char name[CONNECTION_NAME_BYTES];

/* Honest peers remember what they need for an answer. */
static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct peer *peer = owner;
	ProtobufCMessage *head = look_at(frame);

	(void)link;
	if (head && frame->type == FRAME_WELCOME)
		peer->client = ((Ipp__Welcome *)head)->client;
	if (head && frame->type == FRAME_PUSH)
		peer->pushed = ((Ipp__Push *)head)->request;
	if (head && frame->type == FRAME_TASKS) {
		const Ipp__Tasks *tasks = (const Ipp__Tasks *)head;

		if (peer->next == peer->end || tasks->request != peer->request)
			peer->next = tasks->first;
		peer->request = tasks->request;
		peer->end = tasks->first + tasks->count;
	}
	forget(head);
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)why;
	link_free(link);
	*(struct peer *)owner = (struct peer){0};
}

static const struct link_events events = {.on_frame = on_frame, .on_close = on_close};

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void connects(struct peer *peer)
{
	const int fd = peer->link ? -1 : unix_connect(name, NULL);

	if (fd < 0)
		return;
	*peer = (struct peer){.link = link_unix(base, fd, &events, peer)};
	if (!peer->link)
		abort();
	link_trust(peer->link);
}

static void greets(struct source *source, struct peer *peer)
{
	Ipp__Hello hello = IPP__HELLO__INIT;
	const uint8_t what = take(source);

	hello.role = what % 3;
	hello.rank = (what >> 2) % 4 - 1;
	hello.host = (char *)(what & 64 ? "n1" : "n2");
	hello.job = (char *)"7";
	hello.trouble = (char *)(what == 255 ? "there is no worker" : "");
	peer->is_engine = hello.role == IPP__ROLE__ENGINE;
	link_send(peer->link, FRAME_HELLO, &hello.base, NULL);
}

/* A request of its own, most of it by chance. */
static void asks(struct source *source, struct peer *peer, uint16_t type)
{
	ProtobufCMessage *head = take_message(source, heads[type]);
	struct blob *payload = type == FRAME_CALL || type == FRAME_PUSH ? take_payload(source)
									: NULL;
	const uint64_t id = (uint64_t)peer->client << 32 | ++peer->n_requests;

	assert(strcmp(heads[type]->fields[0].name, "request") == 0);
	memcpy((char *)head + heads[type]->fields[0].offset, &id, sizeof(id));
	link_send(peer->link, type, head, payload);
	blob_unref(payload);
	protobuf_c_message_free_unpacked(head, NULL);
}

static void maps(struct source *source, struct peer *peer)
{
	Ipp__Tasks tasks = IPP__TASKS__INIT;
	Ipp__End end = IPP__END__INIT;
	uint64_t sizes[] = {1, 2, 0, 3};
	const uint8_t what = take(source);
	struct blob *texts = what & 1 ? blob_copy("abcdef", 6) : NULL;

	asks(source, peer, FRAME_CALL);
	tasks.request = end.request = (uint64_t)peer->client << 32 | peer->n_requests;
	tasks.count = end.total = texts ? 4 : what >> 2;
	tasks.range = !texts;
	tasks.step = 1;
	tasks.n_item_bytes = texts ? 4 : 0;
	tasks.item_bytes = sizes;
	link_send(peer->link, FRAME_TASKS, &tasks.base, texts);
	if (what & 2)
		link_send(peer->link, FRAME_END, &end.base, NULL);
	blob_unref(texts);
}

/* The next tasks, as many as there are, at most 4. */
static void answers(struct source *source, struct peer *peer)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result each[4], *pointers[4];
	const uint8_t what = take(source);

	results.request = peer->request;
	results.results = pointers;
	while (results.n_results < 4 && results.n_results <= what % 4 && peer->next < peer->end) {
		Ipp__Result *result = &each[results.n_results];

		ipp__result__init(result);
		result->index = peer->next++;
		result->outcome = what >> 5;
		pointers[results.n_results++] = result;
	}
	link_send(peer->link, FRAME_RESULTS, &results.base, NULL);
}

static void confirms(struct peer *peer)
{
	Ipp__Done done = IPP__DONE__INIT;

	done.request = peer->pushed;
	link_send(peer->link, FRAME_DONE, &done.base, NULL);
}

/* What a controller knows from clients, and from engines. */
static const uint16_t clients[] = {FRAME_ROSTER, FRAME_PUSH,   FRAME_CALL,     FRAME_TASKS,
				   FRAME_END,	 FRAME_CANCEL, FRAME_PULL,     FRAME_LIST,
				   FRAME_REMOVE, FRAME_FETCH,  FRAME_REQUESTS, FRAME_STATUS,
				   FRAME_ENOUGH, FRAME_DRAIN};
static const uint16_t engines[] = {FRAME_RESULTS, FRAME_DONE,	FRAME_NOTICE, FRAME_HEALTH,
				   FRAME_SHARE,	  FRAME_REMOVE, FRAME_DRAIN,  FRAME_RECALL};

static void happens(struct source *source)
{
	static const uint16_t questions[] = {FRAME_CALL, FRAME_PUSH, FRAME_PULL, FRAME_LIST,
					     FRAME_REMOVE};
	const uint8_t what = take(source);
	struct peer *peer = &peers[what % PEERS];

	if (!peer->link)
		connects(peer);
	switch (peer->link ? what / PEERS % 10 : 10) {
	case 0:
		greets(source, peer);
		break;
	case 1:
	case 2:
		if (peer->is_engine)
			send_any(source, peer->link, engines, N(engines));
		else
			send_any(source, peer->link, clients, N(clients));
		break;
	case 3:
	case 4:
		maps(source, peer);
		break;
	case 5:
		asks(source, peer, questions[take(source) % 5]);
		break;
	case 6:
	case 7:
		answers(source, peer);
		break;
	case 8:
		confirms(peer);
		break;
	case 9:
		link_free(peer->link);
		*peer = (struct peer){0};
		break;
	default:
		break;
	}
	turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct setup_rank ranks[] = {{.host = (char *)"n1"}, {.host = (char *)"n2"}};
	struct source source = {data, bytes};
	const uint8_t kind = take(&source);
	struct setup setup = {.job = (char *)"7",
			      .host = (char *)"head",
			      .n_engines = kind & 1 ? 2 : 0,
			      .by_hand = kind & 2,
			      .owner_fd = -1,
			      .ready_fd = -1,
			      .ranks = ranks,
			      .n_ranks = kind & 1 ? 2 : 0};
	struct cluster cluster;
	struct door *door;
	struct ipp_error err;

	base = event_base_new();
	connection_name(name, "controller_fuzz");
	setup.unix_fd = unix_listen(name, &err);
	if (!base || setup.unix_fd < 0 || cluster_init(&cluster, base, &setup) < 0)
		abort();
	door = door_open(&cluster, &err);
	if (!door)
		abort();
	while (source.left > 0)
		happens(&source);
	for (int i = 0; i < PEERS; i++) {
		link_free(peers[i].link);
		peers[i] = (struct peer){0};
	}
	turn();
	door_close(door);
	cluster_fini(&cluster);
	event_base_free(base);
	return 0;
}
