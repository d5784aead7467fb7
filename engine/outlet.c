#include "engine/outlet.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

struct outlet outlets[N_OUTLETS] = {
	{.ends = {-1, -1}}, {.ends = {-1, -1}}, {.ends = {-1, -1}}, {.ends = {-1, -1}}};

int outlet_open(struct outlet *outlet)
{
	if (outlet->ends[0] >= 0)
		return 0;
	if (pipe2(outlet->ends, O_CLOEXEC) < 0)
		return errno;
	fcntl(outlet->ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

void outlet_close(struct outlet *outlet)
{
	for (int i = 0; i < 2; i++) {
		if (outlet->ends[i] >= 0)
			close(outlet->ends[i]);
		outlet->ends[i] = -1;
	}
}

void outlet_begin(struct outlet *outlet)
{
	if (!outlet->tail)
		return;
	outlet->tail->bytes = 0;
	outlet->tail->in_use = 1;
}

void outlet_end(struct outlet *outlet)
{
	if (outlet->tail)
		outlet->tail->in_use = 0;
}

static void note(struct outlet_tail *tail, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		const size_t at = tail->bytes % OUTLET_TAIL_BYTES, room = OUTLET_TAIL_BYTES - at;
		const size_t part = n < room ? n : room;

		memcpy(tail->last + at, bytes, part);
		tail->bytes += part;
		bytes += part;
		n -= part;
	}
}

static void read_into(int fd, struct outlet_tail *tail, struct evbuffer *into)
{
	struct evbuffer_iovec room[2];
	int there = 0;
	ssize_t got;
	int n;

	if (ioctl(fd, FIONREAD, &there) < 0 || there == 0)
		return;
	n = evbuffer_reserve_space(into, there, room, 2);
	got = n > 0 ? readv(fd, (struct iovec *)room, n) : -1;
	if (got <= 0)
		return;
	for (int i = 0; i < n; i++) {
		if (room[i].iov_len > (size_t)got)
			room[i].iov_len = (size_t)got;
		got -= (ssize_t)room[i].iov_len;
		if (tail)
			note(tail, room[i].iov_base, room[i].iov_len);
	}
	evbuffer_commit_space(into, room, n);
}

void outlet_read(struct outlet *outlet, struct evbuffer *into)
{
	read_into(outlet->ends[0], outlet->tail, into);
}

void outlet_take_last(const struct outlet *outlet, struct evbuffer *into)
{
	struct outlet_tail *tail = outlet->tail;
	const uint64_t bytes = tail ? tail->bytes : 0;
	const size_t at = bytes % OUTLET_TAIL_BYTES;

	if (!tail || !tail->in_use)
		return;
	tail->in_use = 0;
	if (bytes > at)
		evbuffer_add(into, tail->last + at, OUTLET_TAIL_BYTES - at);
	evbuffer_add(into, tail->last, at);
	read_into(outlet->ends[0], NULL, into);
}
