/* proto/frame.h: the header every frame begins with. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/error.h"
#include "proto/frame.h"

static const struct frame_header results = {.type = FRAME_RESULTS,
					    .head_bytes = 0x01020304,
					    .flags = FRAME_DESCRIPTOR,
					    .payload_bytes = UINT64_C(0x0102030405)};
static struct ipp_error err;

/* Decode what `header` encodes to, with byte `at` changed to `value`. */
static int decode_with(struct frame_header *out, const struct frame_header *header, size_t at,
		       uint8_t value)
{
	uint8_t raw[FRAME_HEADER_BYTES];

	frame_encode(header, raw);
	raw[at] = value;
	return frame_decode(out, raw, &err);
}

static void a_header_is_little_endian_on_every_machine(void **state)
{
	static const uint8_t expected[FRAME_HEADER_BYTES] =
		"IPP\n\x01\0\x0c\0\x04\x03\x02\x01\x01\0\0\0\x05\x04\x03\x02\x01\0\0\0";
	uint8_t raw[FRAME_HEADER_BYTES];

	(void)state;
	frame_encode(&results, raw);
	assert_memory_equal(raw, expected, FRAME_HEADER_BYTES);
}

static void what_was_encoded_is_decoded(void **state)
{
	const struct frame_header largest = {.type = FRAME_TYPES - 1,
					     .head_bytes = FRAME_HEAD_MAX,
					     .payload_bytes = FRAME_PAYLOAD_MAX};
	struct frame_header out;

	(void)state;
	assert_int_equal(decode_with(&out, &largest, 0, 'I'), 0);
	assert_int_equal(out.type, largest.type);
	assert_int_equal(out.head_bytes, largest.head_bytes);
	assert_int_equal(out.flags, 0);
	assert_int_equal(out.payload_bytes, largest.payload_bytes);
}

static void another_protocol_is_refused(void **state)
{
	struct frame_header out;

	(void)state;
	for (size_t at = 0; at < 4; at++)
		assert_int_equal(decode_with(&out, &results, at, 'x'), -EPROTO);
	assert_non_null(strstr(err.text, "does not speak slurm-ipp's protocol"));
}

static void another_version_is_refused_and_both_are_named(void **state)
{
	struct frame_header out;

	(void)state;
	assert_int_equal(decode_with(&out, &results, 4, 7), -EPROTO);
	assert_non_null(strstr(err.text, "version 7, this program version 1"));
}

static void an_unknown_type_is_refused(void **state)
{
	struct frame_header out;

	(void)state;
	assert_int_equal(decode_with(&out, &results, 6, 0), -EPROTO);
	assert_int_equal(decode_with(&out, &results, 6, 200), -EPROTO);
	assert_non_null(strstr(err.text, "unknown type 200"));
}

static void a_length_past_its_bound_is_refused(void **state)
{
	const struct frame_header head = {.type = FRAME_CALL, .head_bytes = FRAME_HEAD_MAX + 1};
	const struct frame_header payload = {.type = FRAME_CALL,
					     .payload_bytes = FRAME_PAYLOAD_MAX + 1};
	struct frame_header out;

	(void)state;
	assert_int_equal(decode_with(&out, &head, 0, 'I'), -EPROTO);
	assert_non_null(strstr(err.text, "CALL frame past its bounds"));
	assert_int_equal(decode_with(&out, &payload, 0, 'I'), -EPROTO);
}

static void an_unknown_flag_is_refused(void **state)
{
	struct frame_header out;

	(void)state;
	assert_int_equal(decode_with(&out, &results, 12, 2), -EPROTO);
}

static void every_type_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned a = 1; a < FRAME_TYPES; a++)
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(frame_name(a), frame_name(b));
	assert_string_equal(frame_name(FRAME_RESULTS), "RESULTS");
	assert_string_equal(frame_name(FRAME_TYPES), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_little_endian_on_every_machine),
		cmocka_unit_test(what_was_encoded_is_decoded),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(another_version_is_refused_and_both_are_named),
		cmocka_unit_test(an_unknown_type_is_refused),
		cmocka_unit_test(a_length_past_its_bound_is_refused),
		cmocka_unit_test(an_unknown_flag_is_refused),
		cmocka_unit_test(every_type_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
