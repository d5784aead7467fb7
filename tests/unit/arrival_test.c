/* client/libipp/arrival.h: results from the wire, which may be anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "client/libipp/arrival.h"
#include "proto/error.h"

#include <cmocka.h>

/* One result, an array of a vector of n doubles in a payload of 24 bytes. */
static int arrive(const char *dtype, uint64_t n, uint64_t bytes)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;
	Ipp__Value value = IPP__VALUE__INIT;
	Ipp__Array array = IPP__ARRAY__INIT;
	struct blob *payload = blob_copy("012345670123456701234567", 24);
	struct arrival *arrival = NULL;
	struct ipp_error err;
	uint8_t head[256];
	struct frame frame = {.head = head, .payload = payload};
	int rc;

	array.dtype = (char *)dtype;
	array.shape = &n;
	array.n_shape = 1;
	array.bytes = bytes;
	value.kind_case = IPP__VALUE__KIND_ARRAY;
	value.array = &array;
	result.value = &value;
	results.results = &one;
	results.n_results = 1;
	assert_true(ipp__results__get_packed_size(&results) <= sizeof(head));
	frame.head_bytes = (uint32_t)ipp__results__pack(&results, head);
	rc = arrival_new(&arrival, &frame, &err);
	arrival_unref(arrival);
	blob_unref(payload);
	return rc;
}

static void an_array_that_fits_its_shape_is_taken(void **state)
{
	(void)state;
	assert_int_equal(arrive("<f8", 3, 24), 0);
	assert_int_equal(arrive("<f8", 0, 0), 0);
}

static void an_array_that_does_not_fit_its_shape_is_refused(void **state)
{
	(void)state;
	assert_int_equal(arrive("<f8", 1000, 24), -EPROTO);
	assert_int_equal(arrive("<f8", 2, 24), -EPROTO);
	assert_int_equal(arrive("<f8", 3, 32), -EPROTO);
	assert_int_equal(arrive("<f8", UINT64_MAX / 8 + 4, 24), -EPROTO);
	assert_int_equal(arrive("nonsense", 3, 24), -EPROTO);
}

static void an_end_that_there_is_not_is_refused(void **state)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;
	struct arrival *arrival = NULL;
	uint8_t head[64];
	struct frame frame = {.head = head};

	(void)state;
	results.results = &one;
	results.n_results = 1;
	for (int outcome = IPP__OUTCOME__OK; outcome <= IPP__OUTCOME__TIMED_OUT + 1; outcome++)
		for (results.heads = 0; results.heads <= 1; results.heads++) {
			result.outcome = (Ipp__Outcome)outcome;
			frame.head_bytes = (uint32_t)ipp__results__pack(&results, head);
			assert_int_equal(arrival_new(&arrival, &frame, NULL),
					 outcome > IPP__OUTCOME__TIMED_OUT ? -EPROTO : 0);
			if (outcome <= IPP__OUTCOME__TIMED_OUT)
				arrival_unref(arrival);
		}
	result.outcome = (Ipp__Outcome)-1;
	frame.head_bytes = (uint32_t)ipp__results__pack(&results, head);
	assert_int_equal(arrival_new(&arrival, &frame, NULL), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_array_that_fits_its_shape_is_taken),
		cmocka_unit_test(an_array_that_does_not_fit_its_shape_is_refused),
		cmocka_unit_test(an_end_that_there_is_not_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
