/* tests/fuzz/message.h - frames made from a fuzzer's bytes: whole, of any type, in any order, with
 * ids, ranks and names that are often those in use.
 *
 * Bytes are taken from a source, which is all zeros once it is empty. */
#ifndef IPP_TESTS_FUZZ_MESSAGE_H
#define IPP_TESTS_FUZZ_MESSAGE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/blob.h"
#include "proto/frame.h"
#include "proto/ipp.pb-c.h"
#include "proto/link.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct source {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take(struct source *source)
{
	if (source->left == 0)
		return 0;
	source->left--;
	return *source->at++;
}

/* What is in the head of a frame of each type. */
static const ProtobufCMessageDescriptor *const heads[FRAME_TYPES] = {
	[FRAME_HELLO] = &ipp__hello__descriptor,
	[FRAME_WELCOME] = &ipp__welcome__descriptor,
	[FRAME_REFUSE] = &ipp__refuse__descriptor,
	[FRAME_GOODBYE] = &ipp__goodbye__descriptor,
	[FRAME_NOTICE] = &ipp__notice__descriptor,
	[FRAME_ROSTER] = &ipp__roster__descriptor,
	[FRAME_PUSH] = &ipp__push__descriptor,
	[FRAME_DONE] = &ipp__done__descriptor,
	[FRAME_CALL] = &ipp__call__descriptor,
	[FRAME_TASKS] = &ipp__tasks__descriptor,
	[FRAME_END] = &ipp__end__descriptor,
	[FRAME_RESULTS] = &ipp__results__descriptor,
	[FRAME_CANCEL] = &ipp__cancel__descriptor,
	[FRAME_CLOSE] = &ipp__close__descriptor,
	[FRAME_PULL] = &ipp__pull__descriptor,
	[FRAME_REMOVE] = &ipp__remove__descriptor,
	[FRAME_LIST] = &ipp__list__descriptor,
	[FRAME_ENOUGH] = &ipp__enough__descriptor,
	[FRAME_ENDED] = &ipp__ended__descriptor,
	[FRAME_FETCH] = &ipp__fetch__descriptor,
	[FRAME_FINISHED] = &ipp__finished__descriptor,
	[FRAME_HEALTH] = &ipp__health__descriptor,
	[FRAME_STATUS] = &ipp__status__descriptor,
	[FRAME_REQUESTS] = &ipp__requests__descriptor,
	[FRAME_SHARE] = &ipp__share__descriptor,
	[FRAME_DRAIN] = &ipp__drain__descriptor,
	[FRAME_RECALL] = &ipp__recall__descriptor,
};

/* Requests 1 to 3 of clients 1 to 3, small numbers, or any. */
static inline uint64_t take_number(struct source *source)
{
	const uint8_t kind = take(source);
	uint64_t number = 0;

	if (kind < 96)
		return (uint64_t)(1 + kind % 3) << 32 | (1 + kind / 3 % 3);
	if (kind < 224)
		return kind % 8;
	for (int i = 0; i < 8; i++)
		number = number << 8 | (kind == 255 ? 255 : take(source));
	return number;
}

static inline char *take_text(struct source *source)
{
	static const char *const known[] = {"7",   "x",	  "y",	    "<f8",	     "|u1",
					    "<U3", "n9",  "native", "command",	     "shell",
					    "",	   "a=b", "m.so:f", "slurm-ipp/7/0", "{}"};
	const size_t n = take(source), n_known = N(known);
	char *text;

	if (n < 8 * n_known)
		return strdup(known[n % n_known]);
	text = calloc(1, n + 1);
	for (size_t i = 0; text && i < n - 8 * n_known; i++)
		text[i] = (char)take(source);
	return text;
}

static inline ProtobufCMessage *take_message(struct source *source,
					     const ProtobufCMessageDescriptor *descriptor);

static inline size_t bytes_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

static inline void take_value(struct source *source, const ProtobufCFieldDescriptor *field,
			      void *into)
{
	uint64_t number;
	void *pointer;

	if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
		pointer = field->type == PROTOBUF_C_TYPE_STRING
				  ? (void *)take_text(source)
				  : (void *)take_message(source, field->descriptor);
		memcpy(into, &pointer, sizeof(pointer));
		return;
	}
	number = field->type == PROTOBUF_C_TYPE_BOOL   ? take(source) % 2
		 : field->type == PROTOBUF_C_TYPE_ENUM ? take(source) % 10
						       : take_number(source);
	memcpy(into, &number, bytes_of(field->type));
}

static inline void take_field(struct source *source, const ProtobufCFieldDescriptor *field,
			      char *message)
{
	const uint8_t choice = take(source);
	const uint32_t nothing = 0;
	const size_t each = bytes_of(field->type), n = choice % 4;
	char *list;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		list = n > 0 ? calloc(n, each) : NULL;
		for (size_t i = 0; i < n; i++)
			take_value(source, field, list + i * each);
		memcpy(message + field->quantifier_offset, &n, sizeof(n));
		memcpy(message + field->offset, &list, sizeof(list));
		return;
	}
	if (choice % 8 == 0)
		return;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		if (choice % 2 ||
		    memcmp(message + field->quantifier_offset, &nothing, sizeof(nothing)) != 0)
			return;
		memcpy(message + field->quantifier_offset, &field->id, sizeof(field->id));
	}
	take_value(source, field, message + field->offset);
}

/* Any message of that kind (gives). */
static inline ProtobufCMessage *take_message(struct source *source,
					     const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = malloc(descriptor->sizeof_message);

	if (!message)
		abort();
	descriptor->message_init(message);
	for (unsigned i = 0; i < descriptor->n_fields; i++)
		take_field(source, &descriptor->fields[i], (char *)message);
	return message;
}

/* Often none, sometimes one that lies in a memfd (gives). */
static inline struct blob *take_payload(struct source *source)
{
	const uint8_t n = take(source);
	struct blob *payload = n < 64 ? NULL : blob_new(n == 255 ? 2 * BLOB_MEMFD_MIN : n % 64);

	if (!payload)
		return NULL;
	memset(payload->data, take(source), payload->bytes);
	if (blob_seal(payload, NULL) < 0)
		abort();
	return payload;
}

/* Any frame over `link`, mostly of a type that the peer knows: one of `usual`. */
static inline void send_any(struct source *source, struct link *link, const uint16_t *usual,
			    size_t n_usual)
{
	const uint8_t choice = take(source);
	const uint16_t type = choice < 240 ? usual[choice % n_usual]
					   : (uint16_t)(1 + take(source) % (FRAME_TYPES - 1));
	ProtobufCMessage *head = heads[type] ? take_message(source, heads[type]) : NULL;
	struct blob *payload = take_payload(source);

	link_send(link, type, head, payload);
	blob_unref(payload);
	if (head)
		protobuf_c_message_free_unpacked(head, NULL);
}

#endif
