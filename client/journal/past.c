#include "client/journal/past.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/journal/block.h"
#include "client/journal/record.h"
#include "proto/error.h"

#define READ_BYTES (256u << 10)
/* Blocks next to each other are looked up as one, up to so many records. */
#define EXTENT_RECORDS 1024
#define WINDOW ((uint64_t)1 << 16)
/* Which items are to be sent is asked ahead of the results whose turn it is, by less than one. */
#define N_WINDOWS 2

struct extent {
	off_t at, end;
	uint64_t n_records, lowest, highest;
};

/* Where the records of some indices lie: from number * WINDOW on. */
struct window {
	uint64_t number;  /* UINT64_MAX: it was not read */
	uint64_t used;	  /* the larger, the later */
	off_t at[WINDOW]; /* 0: there is none */
	uint64_t item[WINDOW];
};

struct past {
	const char *path;
	FILE *file;
	struct extent *extents;
	size_t n_extents;
	off_t end;
	bool damaged; /* there */
	uint64_t n_records;
	struct window *windows[N_WINDOWS];
	uint64_t uses;
	Ipp__Record *record; /* that was read last */
	uint8_t *payload;    /* its */
	size_t room;
};

static int cannot_read(const struct past *past, int rc, struct ipp_error *err)
{
	if (rc == -EBADMSG)
		return ipp_fail(
			err, EBADMSG,
			"%s has changed, or was not written by ipp-run: put it back as it was, or give another file",
			past->path);
	return ipp_fail(err, -rc, "%s cannot be read: %m", past->path);
}

/* ---- which blocks there are ---- */

static int add_block(struct past *past, const struct block *block)
{
	struct extent *last = past->n_extents ? &past->extents[past->n_extents - 1] : NULL;

	if (!last || last->n_records >= EXTENT_RECORDS) {
		/* Doubled whenever the length is a power of two. */
		if ((past->n_extents & (past->n_extents - 1)) == 0) {
			const size_t room = past->n_extents ? 2 * past->n_extents : 1;
			struct extent *extents = reallocarray(past->extents, room, sizeof(*last));

			if (!extents)
				return -ENOMEM;
			past->extents = extents;
		}
		last = &past->extents[past->n_extents++];
		*last = (struct extent){.at = past->end, .lowest = block->lowest};
	}
	past->end += (off_t)block_size(block);
	past->n_records += block->n_records;
	last->end = past->end;
	last->n_records += block->n_records;
	last->lowest = block->lowest < last->lowest ? block->lowest : last->lowest;
	last->highest = block->highest > last->highest ? block->highest : last->highest;
	return 0;
}

static int scan(struct past *past, off_t size)
{
	struct digest *digest = digest_new();
	struct block block;
	int rc = digest ? BLOCK_WHOLE : -ENOMEM;

	if (digest && fseeko(past->file, past->end, SEEK_SET) < 0)
		rc = -errno;
	while (rc == BLOCK_WHOLE && past->end < size) {
		rc = block_check(past->file, (uint64_t)(size - past->end), digest, &block);
		if (rc == BLOCK_WHOLE && add_block(past, &block) < 0)
			rc = -ENOMEM;
	}
	past->damaged = rc == BLOCK_DAMAGED;
	digest_free(digest);
	return rc;
}

int past_open(struct past **out, int fd, off_t from, off_t size, const char *path,
	      struct ipp_error *err)
{
	struct past *past = calloc(1, sizeof(*past));
	const int copy = past ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	int rc = 0;

	if (!past)
		return ipp_fail(err, ENOMEM, "out of memory");
	*past = (struct past){.path = path, .end = from};
	past->file = copy >= 0 ? fdopen(copy, "r") : NULL;
	if (!past->file || setvbuf(past->file, NULL, _IOFBF, READ_BYTES) != 0)
		rc = -errno;
	if (copy >= 0 && !past->file)
		close(copy);
	if (rc == 0)
		rc = scan(past, size);
	if (rc < 0) {
		cannot_read(past, rc, err);
		past_free(past);
		return rc;
	}
	*out = past;
	return 0;
}

void past_free(struct past *past)
{
	if (!past)
		return;
	if (past->file)
		fclose(past->file);
	for (size_t i = 0; i < N_WINDOWS; i++)
		free(past->windows[i]);
	ipp__record__free_unpacked(past->record, NULL);
	free(past->extents);
	free(past->payload);
	free(past);
}

off_t past_end(const struct past *past)
{
	return past->end;
}

bool past_is_damaged(const struct past *past)
{
	return past->damaged;
}

uint64_t past_count(const struct past *past)
{
	return past->n_records;
}

/* ---- their records ---- */

static int skip(FILE *file, uint64_t bytes)
{
	return bytes == 0 || fseeko(file, (off_t)bytes, SEEK_CUR) == 0 ? 0 : -errno;
}

typedef void record_fn(void *owner, const Ipp__Record *record, off_t at);

/* The records of the block whose head was read, and which ends at `end`. */
static int read_block(struct past *past, const struct block *block, off_t end, record_fn *take,
		      void *owner)
{
	uint64_t left = block->bytes;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < block->n_records; i++) {
		const off_t at = end - BLOCK_CHECK_BYTES - (off_t)left;
		uint64_t payload_bytes;
		Ipp__Record *record;

		rc = record_read_head(past->file, &left, &record, &payload_bytes);
		if (rc < 0)
			break;
		if (record->index < block->lowest || record->index > block->highest)
			rc = -EBADMSG;
		else
			take(owner, record, at);
		ipp__record__free_unpacked(record, NULL);
		if (rc == 0)
			rc = skip(past->file, payload_bytes);
	}
	if (rc == 0 && left > 0)
		rc = -EBADMSG;
	return rc == 0 ? skip(past->file, BLOCK_CHECK_BYTES) : rc;
}

/* The records of the blocks of an extent that have an index of lowest .. highest. */
static int read_extent(struct past *past, const struct extent *extent, uint64_t lowest,
		       uint64_t highest, record_fn *take, void *owner)
{
	off_t at = extent->at;
	int rc = fseeko(past->file, at, SEEK_SET) < 0 ? -errno : 0;

	while (rc == 0 && at < extent->end) {
		struct block block;

		rc = block_read_head(past->file, (uint64_t)(extent->end - at), &block);
		if (rc <= 0)
			return rc < 0 ? rc : -EBADMSG;
		at += (off_t)block_size(&block);
		if (block.lowest <= highest && block.highest >= lowest)
			rc = read_block(past, &block, at, take, owner);
		else
			rc = skip(past->file, block.bytes + BLOCK_CHECK_BYTES);
	}
	return rc;
}

/* ---- by index ---- */

static void note_place(void *owner, const Ipp__Record *record, off_t at)
{
	struct window *window = owner;
	const uint64_t index = record->index;

	if (index / WINDOW != window->number)
		return;
	window->at[index % WINDOW] = at;
	window->item[index % WINDOW] = record->item;
}

static int load(struct past *past, struct window *window, uint64_t number)
{
	const uint64_t lowest = number * WINDOW, highest = lowest + (WINDOW - 1);
	int rc = 0;

	memset(window->at, 0, sizeof(window->at));
	window->number = number;
	for (size_t i = 0; rc == 0 && i < past->n_extents; i++)
		if (past->extents[i].lowest <= highest && past->extents[i].highest >= lowest)
			rc = read_extent(past, &past->extents[i], lowest, highest, note_place,
					 window);
	if (rc < 0)
		window->number = UINT64_MAX;
	return rc;
}

/* The window of an index in *out, read in the place of the one that was used longest ago. */
static int window_of(struct past *past, uint64_t index, struct window **out)
{
	const uint64_t number = index / WINDOW;
	struct window **place = &past->windows[0];
	int rc = 0;

	for (size_t i = 0; i < N_WINDOWS; i++) {
		struct window **one = &past->windows[i];

		if (*one && (*one)->number == number) {
			place = one;
			break;
		}
		if (!*one || (*place && (*one)->used < (*place)->used))
			place = one;
	}
	if (!*place) {
		*place = malloc(sizeof(**place));
		if (!*place)
			return -ENOMEM;
		(*place)->number = UINT64_MAX;
	}
	if ((*place)->number != number)
		rc = load(past, *place, number);
	(*place)->used = ++past->uses;
	*out = *place;
	return rc;
}

int past_has(struct past *past, uint64_t index, uint64_t *item, struct ipp_error *err)
{
	struct window *window;
	int rc;

	if (past->n_records == 0)
		return 0;
	rc = window_of(past, index, &window);
	if (rc < 0)
		return cannot_read(past, rc, err);
	*item = window->item[index % WINDOW];
	return window->at[index % WINDOW] > 0;
}

static int read_payload(struct past *past, uint64_t bytes)
{
	if (bytes > past->room) {
		uint8_t *payload = realloc(past->payload, bytes);

		if (!payload)
			return -ENOMEM;
		past->payload = payload;
		past->room = bytes;
	}
	errno = EIO;
	if (bytes > 0 && fread(past->payload, 1, bytes, past->file) != bytes)
		return ferror(past->file) ? -errno : -EBADMSG;
	return 0;
}

int past_read(struct past *past, uint64_t index, struct ipp_result *out, struct ipp_error *err)
{
	static const uint8_t nothing[1];
	uint64_t left, payload_bytes;
	struct window *window;
	int rc = window_of(past, index, &window);
	off_t at;

	if (rc < 0)
		return cannot_read(past, rc, err);
	at = window->at[index % WINDOW];
	left = (uint64_t)(past->end - at);
	ipp__record__free_unpacked(past->record, NULL);
	past->record = NULL;
	if (fseeko(past->file, at, SEEK_SET) < 0)
		rc = -errno;
	if (rc == 0)
		rc = record_read_head(past->file, &left, &past->record, &payload_bytes);
	if (rc == 0)
		rc = read_payload(past, payload_bytes);
	if (rc < 0)
		return cannot_read(past, rc, err);
	record_result(past->record, past->payload ? past->payload : nothing, out);
	return 0;
}

/* ---- all of them ---- */

struct each {
	void (*take)(void *owner, const struct ipp_result *result);
	void *owner;
};

static void take_head(void *owner, const Ipp__Record *record, off_t at)
{
	const struct each *each = owner;
	struct ipp_result result;

	(void)at;
	record_result(record, NULL, &result);
	each->take(each->owner, &result);
}

int past_each(struct past *past, void (*take)(void *owner, const struct ipp_result *result),
	      void *owner, struct ipp_error *err)
{
	struct each each = {.take = take, .owner = owner};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < past->n_extents; i++)
		rc = read_extent(past, &past->extents[i], 0, UINT64_MAX, take_head, &each);
	return rc < 0 ? cannot_read(past, rc, err) : 0;
}
