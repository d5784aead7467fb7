/* client/journal/block.h - what is written to a journal at once: some records, with a checksum.
 *
 * On disk, little-endian: "ippb", u32 how many records, u64 their bytes, u64 lowest and u64 highest
 * index of them; the records; and the first 16 bytes of the SHA-256 of all that.  Thread: any. */
#ifndef IPP_CLIENT_JOURNAL_BLOCK_H
#define IPP_CLIENT_JOURNAL_BLOCK_H

#include <stdbool.h>
#include <stdio.h>

#include "client/journal/digest.h"

#define BLOCK_HEAD_BYTES 32
#define BLOCK_CHECK_BYTES 16

struct block {
	uint32_t n_records;
	uint64_t bytes;
	uint64_t lowest, highest;
};

void block_write_head(const struct block *block, uint8_t out[BLOCK_HEAD_BYTES]);

/* The head of the block that begins here, in a file of `left` bytes from here on.  1; 0: no whole
 * block begins here; or -errno of reading. */
int block_read_head(FILE *file, uint64_t left, struct block *out, uint8_t bytes[BLOCK_HEAD_BYTES]);

/* Read the whole block that begins here.  1: it is as it was written; else likewise. */
int block_check(FILE *file, uint64_t left, struct digest *digest, struct block *out);

/* Whether these bytes, in which no whole block begins, are all that was written of one. */
bool block_is_torn(const uint8_t *bytes, uint64_t n);

/* Bytes of all of it in the file. */
uint64_t block_size(const struct block *block);

#endif
