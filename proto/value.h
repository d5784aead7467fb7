/* proto/value.h - values between the public headers and the wire.  Thread: any. */
#ifndef IPP_PROTO_VALUE_H
#define IPP_PROTO_VALUE_H

#include "engine/ipp/module.h"
#include "proto/blob.h"
#include "proto/ipp.pb-c.h"

/* Describe `value` under `name` in *head (borrows all; `array` is its storage for an array). */
void value_describe(const char *name, const struct ipp_value *value, Ipp__Value *head,
		    Ipp__Array *array);

/* Bytes of the array that it is; 0 for what is none, such as NULL. */
uint64_t value_array_bytes(const Ipp__Value *head);

/* Whether the array, if it is one, has the bytes that its shape takes: who reads it trusts that. */
bool value_is_whole(const Ipp__Value *head);

/* The value of a head (borrows), whose array, if it is one, lies whole at `array`. */
void value_read(const Ipp__Value *head, const uint8_t *array, struct ipp_value *out);

#endif
