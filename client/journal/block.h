/* client/journal/block.h - what is written to a journal at once: some records, with a checksum.
 *
 * On disk, little-endian: "ippb", u32 how many records, u64 their bytes, u64 lowest and u64 highest
 * index of them, and the first 8 bytes of the SHA-256 of that, so that the length can be trusted
 * where the rest is missing; the records; and the first 16 bytes of the SHA-256 of all that.
 * Thread: any. */
#ifndef IPP_CLIENT_JOURNAL_BLOCK_H
#define IPP_CLIENT_JOURNAL_BLOCK_H

#include <stdio.h>

#include "client/journal/digest.h"

#define BLOCK_HEAD_BYTES 40
#define BLOCK_CHECK_BYTES 16

struct block {
	uint32_t n_records;
	uint64_t bytes;
	uint64_t lowest, highest;
};

enum block_state {
	BLOCK_TORN,    /* the file ends within it, as kill -9 leaves it */
	BLOCK_DAMAGED, /* it is not as it was written */
	BLOCK_WHOLE
};

void block_write_head(const struct block *block, struct digest *digest,
		      uint8_t out[BLOCK_HEAD_BYTES]);

/* The head of a block that block_check() found whole.  1; 0: it is there no more; or -errno of
 * reading.
 *   left  bytes of the file from here on */
int block_read_head(FILE *file, uint64_t left, struct block *out);

/* Read the block that begins here, likewise.  A block_state, or -errno of reading. */
int block_check(FILE *file, uint64_t left, struct digest *digest, struct block *out);

/* Bytes of all of it in the file. */
uint64_t block_size(const struct block *block);

#endif
