#include "client/journal/block.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char magic[4] = "ippb";

/* As it lies in the file, little-endian. */
struct disk_head {
	char magic[4];
	uint32_t n_records;
	uint64_t bytes, lowest, highest;
	uint8_t check[8]; /* of all before it */
};
_Static_assert(sizeof(struct disk_head) == BLOCK_HEAD_BYTES, "a block's head has no gaps");

static void check_head(const struct disk_head *head, struct digest *digest,
		       uint8_t sum[DIGEST_BYTES])
{
	digest_begin(digest);
	digest_add(digest, head, offsetof(struct disk_head, check));
	digest_end(digest, sum);
}

void block_write_head(const struct block *block, struct digest *digest,
		      uint8_t out[BLOCK_HEAD_BYTES])
{
	struct disk_head head = {.n_records = htole32(block->n_records),
				 .bytes = htole64(block->bytes),
				 .lowest = htole64(block->lowest),
				 .highest = htole64(block->highest)};
	uint8_t sum[DIGEST_BYTES];

	memcpy(head.magic, magic, sizeof(magic));
	check_head(&head, digest, sum);
	memcpy(head.check, sum, sizeof(head.check));
	memcpy(out, &head, sizeof(head));
}

/* 1: all of it; BLOCK_TORN, 0: the file ends before; or -errno. */
static int read_all(FILE *file, void *bytes, size_t n)
{
	errno = EIO;
	if (fread(bytes, 1, n, file) == n)
		return 1;
	return ferror(file) ? -errno : 0;
}

/* Whether these bytes are a head that could have been written. */
static bool parse_head(const uint8_t bytes[BLOCK_HEAD_BYTES], struct disk_head *head,
		       struct block *out)
{
	memcpy(head, bytes, sizeof(*head));
	*out = (struct block){.n_records = le32toh(head->n_records),
			      .bytes = le64toh(head->bytes),
			      .lowest = le64toh(head->lowest),
			      .highest = le64toh(head->highest)};
	return memcmp(head->magic, magic, sizeof(magic)) == 0 && out->n_records > 0 &&
	       out->lowest <= out->highest;
}

static bool fits(const struct block *block, uint64_t left)
{
	return left >= BLOCK_HEAD_BYTES + BLOCK_CHECK_BYTES &&
	       block->bytes <= left - BLOCK_HEAD_BYTES - BLOCK_CHECK_BYTES;
}

int block_read_head(FILE *file, uint64_t left, struct block *out)
{
	uint8_t bytes[BLOCK_HEAD_BYTES];
	struct disk_head head;
	const int rc = read_all(file, bytes, sizeof(bytes));

	return rc <= 0 ? rc : parse_head(bytes, &head, out) && fits(out, left);
}

/* What follows the head, which was digested. */
static int check_rest(FILE *file, const struct block *block, struct digest *digest)
{
	uint8_t bytes[65536], sum[DIGEST_BYTES];
	uint64_t n;
	int rc;

	for (uint64_t done = 0; done < block->bytes; done += n) {
		n = block->bytes - done < sizeof(bytes) ? block->bytes - done : sizeof(bytes);
		rc = read_all(file, bytes, n);
		if (rc <= 0)
			return rc;
		digest_add(digest, bytes, n);
	}
	digest_end(digest, sum);
	rc = read_all(file, bytes, BLOCK_CHECK_BYTES);
	if (rc <= 0)
		return rc;
	return memcmp(bytes, sum, BLOCK_CHECK_BYTES) == 0 ? BLOCK_WHOLE : BLOCK_DAMAGED;
}

int block_check(FILE *file, uint64_t left, struct digest *digest, struct block *out)
{
	uint8_t bytes[BLOCK_HEAD_BYTES], sum[DIGEST_BYTES];
	struct disk_head head;
	int rc;

	if (left < sizeof(bytes))
		return BLOCK_TORN;
	rc = read_all(file, bytes, sizeof(bytes));
	if (rc <= 0)
		return rc;
	if (!parse_head(bytes, &head, out))
		return BLOCK_DAMAGED;
	check_head(&head, digest, sum);
	if (memcmp(head.check, sum, sizeof(head.check)) != 0)
		return BLOCK_DAMAGED;
	if (!fits(out, left))
		return BLOCK_TORN;
	digest_begin(digest);
	digest_add(digest, bytes, sizeof(bytes));
	return check_rest(file, out, digest);
}

uint64_t block_size(const struct block *block)
{
	return BLOCK_HEAD_BYTES + block->bytes + BLOCK_CHECK_BYTES;
}
