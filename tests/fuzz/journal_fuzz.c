/* libFuzzer target: the file of --journal.  `journal_fuzz FILE` replays one input: the file, whose
 * checksums are mended first, for none would be right.  Whatever comes, what is said to be there
 * can be read, or is refused. */
#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/journal/block.h"
#include "client/journal/head.h"
#include "client/journal/past.h"
#include "proto/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define INDICES 64
#define HEAD_CHECKED_BYTES 32

static unsigned sum;

static void touch(const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += ((const uint8_t *)bytes)[i];
}

static void mend(uint8_t *data, size_t bytes)
{
	struct digest *digest = digest_new();
	uint8_t found[DIGEST_BYTES];
	uint64_t length;

	for (size_t at = HEAD_BYTES; at + BLOCK_HEAD_BYTES + BLOCK_CHECK_BYTES <= bytes;
	     at += BLOCK_HEAD_BYTES + length + BLOCK_CHECK_BYTES) {
		memcpy(&length, data + at + 8, sizeof(length));
		length = le64toh(length);
		if (length > bytes - at - BLOCK_HEAD_BYTES - BLOCK_CHECK_BYTES)
			break;
		digest_begin(digest);
		digest_add(digest, data + at, HEAD_CHECKED_BYTES);
		digest_end(digest, found);
		memcpy(data + at + HEAD_CHECKED_BYTES, found,
		       BLOCK_HEAD_BYTES - HEAD_CHECKED_BYTES);
		digest_begin(digest);
		digest_add(digest, data + at, BLOCK_HEAD_BYTES + length);
		digest_end(digest, found);
		memcpy(data + at + BLOCK_HEAD_BYTES + length, found, BLOCK_CHECK_BYTES);
	}
	digest_free(digest);
}

static void touch_one(void *owner, const struct ipp_result *result)
{
	(void)owner;
	touch(result->host, strlen(result->host));
}

static void read_one(struct past *past, uint64_t index)
{
	struct ipp_result result;
	struct ipp_error err;
	uint64_t item;

	if (past_has(past, index, &item, &err) != 1 || past_read(past, index, &result, &err) < 0)
		return;
	assert(result.index == index);
	touch(result.host, strlen(result.host));
	touch(result.out, result.out_bytes);
	touch(result.err, result.err_bytes);
	if (result.value.kind == IPP_ARRAY)
		touch(result.value.data, result.value.bytes);
	else if (result.value.kind == IPP_TEXT)
		touch(result.value.text, result.value.bytes + 1);
}

static void read_past(int fd, size_t bytes)
{
	struct past *past = NULL;
	struct ipp_error err;

	if (past_open(&past, fd, HEAD_BYTES, (off_t)bytes, "input", &err) < 0)
		return;
	assert(past_end(past) >= HEAD_BYTES && past_end(past) <= (off_t)bytes);
	for (uint64_t index = 0; index < INDICES; index++)
		read_one(past, index);
	read_one(past, UINT64_MAX);
	past_each(past, touch_one, NULL, &err);
	past_free(past);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const int fd = memfd_create("journal", MFD_CLOEXEC);
	uint8_t *mended = malloc(bytes + 1);
	struct identity map;
	struct ipp_error err;

	if (fd < 0 || !mended)
		abort();
	memcpy(mended, data, bytes);
	mend(mended, bytes);
	if (write(fd, mended, bytes) != (ssize_t)bytes)
		abort();
	if (head_read(fd, (off_t)bytes, "input", &map, &err) == 1)
		touch(map.label, strlen(map.label));
	if (bytes >= HEAD_BYTES)
		read_past(fd, bytes);
	*(volatile unsigned *)&sum = sum;
	free(mended);
	close(fd);
	return 0;
}
