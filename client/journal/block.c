#include "client/journal/block.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static const char magic[4] = "ippb";

/* As it lies in the file, little-endian. */
struct disk_head {
	char magic[4];
	uint32_t n_records;
	uint64_t bytes, lowest, highest;
};
_Static_assert(sizeof(struct disk_head) == BLOCK_HEAD_BYTES, "a block's head has no gaps");

void block_write_head(const struct block *block, uint8_t out[BLOCK_HEAD_BYTES])
{
	struct disk_head head = {.n_records = htole32(block->n_records),
				 .bytes = htole64(block->bytes),
				 .lowest = htole64(block->lowest),
				 .highest = htole64(block->highest)};

	memcpy(head.magic, magic, sizeof(magic));
	memcpy(out, &head, sizeof(head));
}

/* 1: all of it; 0: the file ends before; or -errno. */
static int read_all(FILE *file, void *bytes, size_t n)
{
	errno = EIO;
	if (fread(bytes, 1, n, file) == n)
		return 1;
	return ferror(file) ? -errno : 0;
}

int block_read_head(FILE *file, uint64_t left, struct block *out, uint8_t bytes[BLOCK_HEAD_BYTES])
{
	struct disk_head head;
	int rc;

	if (left < BLOCK_HEAD_BYTES + BLOCK_CHECK_BYTES)
		return 0;
	rc = read_all(file, bytes, BLOCK_HEAD_BYTES);
	if (rc <= 0)
		return rc;
	memcpy(&head, bytes, sizeof(head));
	*out = (struct block){.n_records = le32toh(head.n_records),
			      .bytes = le64toh(head.bytes),
			      .lowest = le64toh(head.lowest),
			      .highest = le64toh(head.highest)};
	return memcmp(head.magic, magic, sizeof(magic)) == 0 && out->n_records > 0 &&
	       out->lowest <= out->highest &&
	       out->bytes <= left - BLOCK_HEAD_BYTES - BLOCK_CHECK_BYTES;
}

bool block_is_torn(const uint8_t *bytes, uint64_t n)
{
	struct disk_head head;

	if (n < BLOCK_HEAD_BYTES + BLOCK_CHECK_BYTES)
		return true;
	memcpy(&head, bytes, sizeof(head));
	return memcmp(head.magic, magic, sizeof(magic)) == 0 &&
	       le64toh(head.bytes) > n - BLOCK_HEAD_BYTES - BLOCK_CHECK_BYTES &&
	       !memmem(bytes + sizeof(magic), n - sizeof(magic), magic, sizeof(magic));
}

int block_check(FILE *file, uint64_t left, struct digest *digest, struct block *out)
{
	uint8_t bytes[65536], sum[DIGEST_BYTES];
	int rc = block_read_head(file, left, out, bytes);
	uint64_t n;

	if (rc <= 0)
		return rc;
	digest_begin(digest);
	digest_add(digest, bytes, BLOCK_HEAD_BYTES);
	for (uint64_t done = 0; done < out->bytes; done += n) {
		n = out->bytes - done < sizeof(bytes) ? out->bytes - done : sizeof(bytes);
		rc = read_all(file, bytes, n);
		if (rc <= 0)
			return rc;
		digest_add(digest, bytes, n);
	}
	digest_end(digest, sum);
	rc = read_all(file, bytes, BLOCK_CHECK_BYTES);
	return rc <= 0 ? rc : memcmp(bytes, sum, BLOCK_CHECK_BYTES) == 0;
}

uint64_t block_size(const struct block *block)
{
	return BLOCK_HEAD_BYTES + block->bytes + BLOCK_CHECK_BYTES;
}
