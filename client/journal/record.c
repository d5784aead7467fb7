#include "client/journal/record.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/value.h"

struct packed {
	Ipp__Record record;
	Ipp__Result result;
	Ipp__Value value;
	Ipp__Array array;
};

static void describe(const struct ipp_result *result, uint64_t item, struct packed *out)
{
	ipp__record__init(&out->record);
	ipp__result__init(&out->result);
	out->record.result = &out->result;
	out->record.item = item;
	out->record.host = (char *)result->host;
	out->record.submitted_us = result->submitted_us;
	out->result.index = result->index;
	out->result.engine = result->engine;
	out->result.code = result->code;
	out->result.started_us = result->started_us;
	out->result.elapsed_us = result->elapsed_us;
	out->result.tries = result->tries;
	out->result.stdout_bytes = result->out_bytes;
	out->result.stderr_bytes = result->err_bytes;
	if (result->value.kind == IPP_NONE)
		return;
	value_describe("", &result->value, &out->value, &out->array);
	out->result.value = &out->value;
}

size_t record_head_bytes(const struct ipp_result *result, uint64_t item)
{
	struct packed packed;

	describe(result, item, &packed);
	return sizeof(uint32_t) + ipp__record__get_packed_size(&packed.record);
}

void record_pack_head(const struct ipp_result *result, uint64_t item, uint8_t *out)
{
	struct packed packed;
	uint32_t bytes;

	describe(result, item, &packed);
	bytes = htole32((uint32_t)ipp__record__pack(&packed.record, out + sizeof(bytes)));
	memcpy(out, &bytes, sizeof(bytes));
}

static size_t array_bytes(const struct ipp_value *value)
{
	return value->kind == IPP_ARRAY ? value->bytes : 0;
}

size_t record_payload_bytes(const struct ipp_result *result)
{
	return array_bytes(&result->value) + result->out_bytes + result->err_bytes;
}

/* Of what its head says; false when that is more than `left`, or the array does not fit its shape.
 */
static bool measure(const Ipp__Record *record, uint64_t left, uint64_t *payload_bytes)
{
	const Ipp__Result *result = record ? record->result : NULL;
	uint64_t bytes;

	if (!result || !value_is_whole(result->value))
		return false;
	bytes = value_array_bytes(result->value);
	return !__builtin_add_overflow(bytes, result->stdout_bytes, &bytes) &&
	       !__builtin_add_overflow(bytes, result->stderr_bytes, payload_bytes) &&
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
	const Ipp__Result *head = record->result;
	const uint64_t array = value_array_bytes(head->value);

	*out = (struct ipp_result){
		.index = head->index,
		.engine = head->engine,
		.outcome = IPP_OK,
		.code = head->code,
		.error = "",
		.host = record->host,
		.submitted_us = record->submitted_us,
		.started_us = head->started_us,
		.elapsed_us = head->elapsed_us,
		.tries = head->tries,
		.out = payload ? (const char *)payload + array : NULL,
		.out_bytes = head->stdout_bytes,
		.err = payload ? (const char *)payload + array + head->stdout_bytes : NULL,
		.err_bytes = head->stderr_bytes};
	value_read(head->value, payload, &out->value);
}
