/* tests/unit/wire.h - for tests of what speaks frames: a loop, and peers that remember what they
 * were told. */
#ifndef IPP_TESTS_WIRE_H
#define IPP_TESTS_WIRE_H

#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/blob.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/link.h"

#define PATIENCE_S 20 /* what takes longer will not come */
#define FRAMES_MAX 4096

struct heard {
	uint16_t type;
	uint8_t *head;
	size_t head_bytes;
	struct blob *payload;
};

struct peer {
	struct link *link; /* NULL once it was closed */
	struct heard frames[FRAMES_MAX];
	size_t n;
	bool closed, secured, free_at_frame;
	unsigned drained;
	struct ipp_error why;
};

static inline void peer_on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct peer *peer = owner;
	struct heard *heard = &peer->frames[peer->n++];

	assert_true(peer->n < FRAMES_MAX);
	*heard = (struct heard){.type = frame->type,
				.head = malloc(frame->head_bytes + 1),
				.head_bytes = frame->head_bytes,
				.payload = blob_ref(frame->payload)};
	if (frame->head_bytes)
		memcpy(heard->head, frame->head, frame->head_bytes);
	if (peer->free_at_frame) {
		link_free(link);
		peer->link = NULL;
	}
}

static inline void peer_on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	struct peer *peer = owner;

	peer->closed = true;
	peer->why = *why;
	link_free(link);
	peer->link = NULL;
}

static inline void peer_on_secured(void *owner, struct link *link)
{
	(void)link;
	((struct peer *)owner)->secured = true;
}

static inline void peer_on_drained(void *owner, struct link *link)
{
	(void)link;
	((struct peer *)owner)->drained++;
}

static const struct link_events peer_events = {
	.on_frame = peer_on_frame,
	.on_close = peer_on_close,
	.on_secured = peer_on_secured,
	.on_drained = peer_on_drained,
};

/* One that the other end trusts and that trusts it (takes `fd`). */
static inline struct peer *peer_unix(struct event_base *base, int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	peer->link = link_unix(base, fd, &peer_events, peer);
	assert_non_null(peer->link);
	link_trust(peer->link);
	return peer;
}

static inline void peer_pair(struct event_base *base, struct peer **a, struct peer **b)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	*a = peer_unix(base, ends[0]);
	*b = peer_unix(base, ends[1]);
}

static inline void peer_forget(struct peer *peer)
{
	for (size_t i = 0; i < peer->n; i++) {
		free(peer->frames[i].head);
		blob_unref(peer->frames[i].payload);
	}
	peer->n = 0;
}

static inline void peer_free(struct peer *peer)
{
	peer_forget(peer);
	link_free(peer->link);
	free(peer);
}

/* The message in frame `i` (gives). */
static inline void *peer_message(const struct peer *peer, size_t i,
				 const ProtobufCMessageDescriptor *descriptor)
{
	const struct frame frame = {.head = peer->frames[i].head,
				    .head_bytes = peer->frames[i].head_bytes};
	void *message;

	assert_true(i < peer->n);
	message = frame_unpack(&frame, descriptor);
	assert_non_null(message);
	return message;
}

static inline bool wire_turn(struct event_base *base, time_t until)
{
	const struct timespec nap = {.tv_nsec = 100000};

	if (event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) != 0)
		return false;
	nanosleep(&nap, NULL);
	return time(NULL) <= until;
}

/* Turn the loop until `condition` holds; it fails after PATIENCE_S. */
#define turn_until(base, condition)                                                                \
	do {                                                                                       \
		const time_t until_ = time(NULL) + PATIENCE_S;                                     \
		while (!(condition))                                                               \
			if (!wire_turn(base, until_))                                              \
				fail_msg("%s: not within %d s", #condition, PATIENCE_S);           \
	} while (0)

/* Everything that is under way has arrived; for "and nothing else happens". */
static inline void turn_a_while(struct event_base *base)
{
	for (int i = 0; i < 50; i++)
		wire_turn(base, time(NULL) + PATIENCE_S);
}

/* The process waits for something. */
static inline bool is_asleep(pid_t pid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		fclose(file);
	}
	return state == 'S';
}

static inline size_t open_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#endif
