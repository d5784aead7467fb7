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
	if (outlet->ends[0] < 0) {
		if (pipe2(outlet->ends, O_CLOEXEC) < 0)
			return errno;
		fcntl(outlet->ends[0], F_SETFL, O_NONBLOCK);
	}
	/* An earlier child may have changed it, for all who write there. */
	fcntl(outlet->ends[1], F_SETFL, 0);
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

void outlet_leave(struct outlet *outlet)
{
	outlet_close(outlet);
	if (outlet->tail)
		outlet->tail->moved = 1;
}

void outlet_begin(struct outlet *outlet)
{
	if (!outlet->tail)
		return;
	outlet->tail->bytes = outlet->tail->coming = 0;
	outlet->tail->in_use = 1;
}

void outlet_end(struct outlet *outlet)
{
	if (outlet->tail)
		outlet->tail->in_use = 0;
}

/* Where `n` bytes behind the first `bytes` lie: in two parts, of which the second may be empty. */
static void find(struct outlet_tail *tail, uint64_t bytes, size_t n, struct iovec part[2])
{
	const size_t at = bytes % OUTLET_TAIL_BYTES, room = OUTLET_TAIL_BYTES - at;

	part[0] = (struct iovec){tail->last + at, n < room ? n : room};
	part[1] = (struct iovec){tail->last, n - part[0].iov_len};
}

/* Something that nobody writes. */
static const uint8_t mark[] = {0xff, 0x00, 0xf1, 0x9d, 0xfe, 0x03, 0xc0, 0x8a};

static size_t mark_bytes(const struct iovec *part)
{
	return part->iov_len < sizeof(mark) ? part->iov_len : sizeof(mark);
}

/* At most the tail's size; what was read, or 0. */
static size_t read_some(int fd, struct outlet_tail *tail, size_t n, struct evbuffer *into)
{
	struct iovec part[2];
	ssize_t got;

	if (n > OUTLET_TAIL_BYTES)
		n = OUTLET_TAIL_BYTES;
	find(tail, tail->bytes, n, part);
	memcpy(part[0].iov_base, mark, mark_bytes(&part[0]));
	tail->coming = tail->bytes + n;
	got = readv(fd, part, 2); /* a part of it where a child chose O_DIRECT: a packet */
	if (got <= 0) {
		tail->coming = tail->bytes;
		return 0;
	}
	find(tail, tail->bytes, (size_t)got, part);
	tail->coming = tail->bytes += (uint64_t)got;
	for (int i = 0; i < 2; i++)
		evbuffer_add(into, part[i].iov_base, part[i].iov_len);
	return (size_t)got;
}

void outlet_read(struct outlet *outlet, struct evbuffer *into)
{
	static struct outlet_tail nobodys;
	struct outlet_tail *tail = outlet->tail ? outlet->tail : &nobodys;
	int there = 0;

	if (ioctl(outlet->ends[0], FIONREAD, &there) < 0)
		return;
	for (size_t left = (size_t)there, n; left > 0; left -= n) {
		n = read_some(outlet->ends[0], tail, left, into);
		if (n == 0)
			return;
	}
}

void outlet_take_last(const struct outlet *outlet, struct evbuffer *into)
{
	struct outlet_tail *tail = outlet->tail;
	const uint64_t bytes = tail ? tail->bytes : 0, coming = tail ? tail->coming - bytes : 0;
	struct outlet rest = {.ends = {outlet->ends[0], -1}};
	uint64_t n = bytes;
	struct iovec part[2];

	if (!tail || !tail->in_use)
		return;
	tail->in_use = 0;
	if (coming > 0 && coming <= OUTLET_TAIL_BYTES) {
		find(tail, bytes, coming, part);
		if (memcmp(part[0].iov_base, mark, mark_bytes(&part[0])) != 0)
			n += coming;
	}
	if (n > OUTLET_TAIL_BYTES)
		find(tail, n - OUTLET_TAIL_BYTES, OUTLET_TAIL_BYTES, part);
	else
		find(tail, 0, n, part);
	for (int i = 0; i < 2; i++)
		evbuffer_add(into, part[i].iov_base, part[i].iov_len);
	if (!tail->moved)
		outlet_read(&rest, into);
}
