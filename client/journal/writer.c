#include "client/journal/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "client/journal/block.h"
#include "client/journal/record.h"
#include "proto/error.h"

/* What is larger is a block of its own, and is not copied. */
#define COPIED_BYTES ((size_t)256 << 10)
#define SYNC_S 1

struct writer {
	int fd;
	const char *path;
	off_t end; /* of what was written whole */
	struct digest *digest;
	struct block block; /* that is being gathered */
	uint8_t *bytes;	    /* its head, and its records */
	size_t n, room;
	time_t synced_s; /* CLOCK_MONOTONIC; when all but what `unsynced` tells of was */
	bool unsynced;
	bool failed;
};

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

struct writer *writer_new(int fd, off_t end, const char *path)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	*writer = (struct writer){.fd = fd,
				  .path = path,
				  .end = end,
				  .digest = digest_new(),
				  .synced_s = now_s(),
				  .n = BLOCK_HEAD_BYTES};
	if (writer->digest)
		return writer;
	writer_free(writer);
	return NULL;
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	digest_free(writer->digest);
	free(writer->bytes);
	free(writer);
}

/* ---- blocks ---- */

/* All of it at `at`; 0 or -errno. */
static int write_all(int fd, struct iovec *parts, int n, off_t at)
{
	while (n > 0) {
		ssize_t written = pwritev(fd, parts, n, at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		at += written;
		for (; n > 0 && (size_t)written >= parts->iov_len; n--)
			written -= (ssize_t)parts++->iov_len;
		if (n > 0) {
			parts->iov_base = (char *)parts->iov_base + written;
			parts->iov_len -= (size_t)written;
		}
	}
	return 0;
}

/* What was not written whole is not to be found. */
static int give_up(struct writer *writer, int rc, struct ipp_error *err)
{
	writer->failed = true;
	if (ftruncate(writer->fd, writer->end) < 0)
		rc = -errno; /* then it is found to be torn */
	return ipp_fail(err, -rc,
			"%s cannot be written: %m; it is good up to there: make room, and go on "
			"with --resume",
			writer->path);
}

/* Write the block: what was gathered, and `rest`, of n_rest parts. */
static int write_block(struct writer *writer, const struct iovec *rest, int n_rest,
		       struct ipp_error *err)
{
	struct block *block = &writer->block;
	uint8_t sum[DIGEST_BYTES];
	struct iovec parts[5];
	int rc, n = 0;

	block->bytes = writer->n - BLOCK_HEAD_BYTES;
	parts[n++] = (struct iovec){writer->bytes, writer->n};
	for (int i = 0; i < n_rest; i++) {
		block->bytes += rest[i].iov_len;
		parts[n++] = rest[i];
	}
	block_write_head(block, writer->digest, writer->bytes);
	digest_begin(writer->digest);
	for (int i = 0; i < n; i++)
		digest_add(writer->digest, parts[i].iov_base, parts[i].iov_len);
	digest_end(writer->digest, sum);
	parts[n++] = (struct iovec){sum, BLOCK_CHECK_BYTES};
	rc = write_all(writer->fd, parts, n, writer->end);
	if (rc < 0)
		return give_up(writer, rc, err);
	writer->end += (off_t)block_size(block);
	writer->unsynced = true;
	writer->block = (struct block){.n_records = 0};
	writer->n = BLOCK_HEAD_BYTES;
	return 0;
}

/* ---- records ---- */

static int make_room(struct writer *writer, size_t bytes)
{
	uint8_t *larger;

	if (writer->n + bytes <= writer->room)
		return 0;
	larger = realloc(writer->bytes, 2 * writer->room + writer->n + bytes);
	if (!larger)
		return -ENOMEM;
	writer->bytes = larger;
	writer->room = 2 * writer->room + writer->n + bytes;
	return 0;
}

static void gather(struct writer *writer, const void *bytes, size_t n)
{
	if (n > 0)
		memcpy(writer->bytes + writer->n, bytes, n);
	writer->n += n;
}

static void count(struct block *block, uint64_t index)
{
	if (block->n_records++ == 0)
		block->lowest = block->highest = index;
	if (index < block->lowest)
		block->lowest = index;
	if (index > block->highest)
		block->highest = index;
}

int writer_add(struct writer *writer, const struct ipp_result *result, uint64_t item,
	       struct ipp_error *err)
{
	const size_t payload_bytes = record_payload_bytes(result);
	const bool copied = payload_bytes <= COPIED_BYTES;
	const struct iovec payload[] = {
		{(void *)result->value.data, payload_bytes - result->out_bytes - result->err_bytes},
		{(void *)result->out, result->out_bytes},
		{(void *)result->err, result->err_bytes},
	};
	int rc = 0;

	if (writer->failed)
		return ipp_fail(err, EIO, "%s could not be written", writer->path);
	if (!copied || writer->n + payload_bytes > COPIED_BYTES)
		rc = writer_flush(writer, false, err);
	if (rc < 0)
		return rc;
	if (make_room(writer, record_head_room(result) + (copied ? payload_bytes : 0)) < 0)
		return ipp_fail(err, ENOMEM, "out of memory for %s", writer->path);
	writer->n += record_write_head(result, item, writer->bytes + writer->n);
	count(&writer->block, result->index);
	if (!copied)
		return write_block(writer, payload, 3, err);
	for (size_t i = 0; i < 3; i++)
		gather(writer, payload[i].iov_base, payload[i].iov_len);
	return 0;
}

int writer_flush(struct writer *writer, bool sync, struct ipp_error *err)
{
	int rc = 0;

	if (writer->failed)
		return ipp_fail(err, EIO, "%s could not be written", writer->path);
	if (writer->block.n_records > 0)
		rc = write_block(writer, NULL, 0, err);
	if (rc < 0 || !writer->unsynced || (!sync && now_s() - writer->synced_s < SYNC_S))
		return rc;
	if (fdatasync(writer->fd) < 0)
		return give_up(writer, -errno, err);
	writer->synced_s = now_s();
	writer->unsynced = false;
	return 0;
}
