#include "client/journal/record.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/value.h"

/* More than numbers and tags of a Record take. */
#define NUMBERS_BYTES 256
/* A number's with its tag. */
#define NUMBER_BYTES 11

/* A bound: to know it exactly costs as much as to write it. */
size_t record_head_room(const struct ipp_result *result)
{
	const struct ipp_value *value = &result->value;
	size_t bytes = NUMBERS_BYTES + strlen(result->host);

	if (value->kind == IPP_TEXT)
		bytes += value->bytes;
	if (value->kind == IPP_ARRAY)
		bytes += strlen(value->dtype) + value->n_dims * NUMBER_BYTES;
	return bytes;
}

size_t record_write_head(const struct ipp_result *result, uint64_t item, uint8_t *out)
{
	Ipp__Record record = IPP__RECORD__INIT;
	Ipp__Value value;
	Ipp__Array array;
	uint32_t bytes;

	record.index = result->index;
	record.item = item;
	record.engine = result->engine;
	record.host = (char *)result->host;
	record.code = result->code;
	record.submitted_us = result->submitted_us;
	record.started_us = result->started_us;
	record.elapsed_us = result->elapsed_us;
	record.tries = result->tries;
	record.stdout_bytes = result->out_bytes;
	record.stderr_bytes = result->err_bytes;
	if (result->value.kind != IPP_NONE) {
		value_describe("", &result->value, &value, &array);
		record.value = &value;
	}
	bytes = htole32((uint32_t)ipp__record__pack(&record, out + sizeof(bytes)));
	memcpy(out, &bytes, sizeof(bytes));
	return sizeof(bytes) + le32toh(bytes);
}

static size_t array_bytes(const struct ipp_value *value)
{
	return value->kind == IPP_ARRAY ? value->bytes : 0;
}

size_t record_payload_bytes(const struct ipp_result *result)
{
	return array_bytes(&result->value) + result->out_bytes + result->err_bytes;
}

/* What follows it; false when that is more than `left`, or the array does not fit its shape. */
static bool measure(const Ipp__Record *record, uint64_t left, uint64_t *payload_bytes)
{
	uint64_t bytes;

	if (!record || !value_is_whole(record->value))
		return false;
	bytes = value_array_bytes(record->value);
	return !__builtin_add_overflow(bytes, record->stdout_bytes, &bytes) &&
	       !__builtin_add_overflow(bytes, record->stderr_bytes, payload_bytes) &&
	       *payload_bytes <= left;
}

int record_read_head(FILE *file, uint64_t *left, Ipp__Record **out, uint64_t *payload_bytes)
{
	uint32_t head_bytes = 0;
	Ipp__Record *record;
	uint8_t *head;

	errno = EIO;
	if (*left < sizeof(head_bytes) ||
	    fread(&head_bytes, 1, sizeof(head_bytes), file) != sizeof(head_bytes))
		return ferror(file) ? -errno : -EBADMSG;
	*left -= sizeof(head_bytes);
	head_bytes = le32toh(head_bytes);
	if (head_bytes > *left)
		return -EBADMSG;
	*left -= head_bytes;
	head = malloc((size_t)head_bytes + 1);
	if (!head)
		return -ENOMEM;
	if (fread(head, 1, head_bytes, file) != head_bytes) {
		free(head);
		return ferror(file) ? -errno : -EBADMSG;
	}
	record = ipp__record__unpack(NULL, head_bytes, head);
	free(head);
	if (!measure(record, *left, payload_bytes)) {
		ipp__record__free_unpacked(record, NULL);
		return -EBADMSG;
	}
	*left -= *payload_bytes;
	*out = record;
	return 0;
}

void record_result(const Ipp__Record *record, const uint8_t *payload, struct ipp_result *out)
{
	const uint64_t array = value_array_bytes(record->value);
	const char *out_bytes = payload ? (const char *)payload + array : NULL;

	*out = (struct ipp_result){.index = record->index,
				   .engine = record->engine,
				   .outcome = IPP_OK,
				   .code = record->code,
				   .error = "",
				   .host = record->host,
				   .submitted_us = record->submitted_us,
				   .started_us = record->started_us,
				   .elapsed_us = record->elapsed_us,
				   .tries = record->tries,
				   .out = out_bytes,
				   .out_bytes = record->stdout_bytes,
				   .err = payload ? out_bytes + record->stdout_bytes : NULL,
				   .err_bytes = record->stderr_bytes};
	value_read(record->value, payload, &out->value);
}
