/* client/journal/record.h - a result in a journal: the length of a head (u32, little-endian), the
 * head (Record of proto/ipp.proto), then array, stdout and stderr.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_JOURNAL_RECORD_H
#define IPP_CLIENT_JOURNAL_RECORD_H

#include <stdio.h>

#include "client/ipp/client.h"
#include "proto/ipp.pb-c.h"

/* Write length and head of a record, for which there are record_head_room() bytes; how many it
 * took. item  what its item is known by */
size_t record_head_room(const struct ipp_result *result);
size_t record_write_head(const struct ipp_result *result, uint64_t item, uint8_t *out);

/* What follows the head. */
size_t record_payload_bytes(const struct ipp_result *result);

/* Read length and head of the record that begins here, of which with its payload at most *left
 * bytes are there, and subtract what it takes from *left (gives *out).  0, -EBADMSG, -ENOMEM or
 * -errno of reading. */
int record_read_head(FILE *file, uint64_t *left, Ipp__Record **out, uint64_t *payload_bytes);

/* The result of a record (borrows both; payload NULL: its bytes are not there). */
void record_result(const Ipp__Record *record, const uint8_t *payload, struct ipp_result *out);

#endif
