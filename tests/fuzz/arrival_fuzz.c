/* libFuzzer target: results as a client takes them apart.  `arrival_fuzz FILE` replays one input:
 * its first two bytes say how long the head is, little-endian; the rest is head and payload.
 * Whatever comes, each result's bytes lie in the payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/arrival.h"
#include "proto/error.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static unsigned sum;

static void touch(const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += ((const uint8_t *)bytes)[i];
}

static void read_all(struct arrival *arrival)
{
	for (size_t i = 0; i < arrival->results->n_results; i++) {
		struct ipp_result result;

		arrival_read(arrival, i, &result);
		touch(result.out, result.out_bytes);
		touch(result.err, result.err_bytes);
		for (size_t k = 0; k < result.n_variables; k++)
			touch(result.variables[k].name, strlen(result.variables[k].name));
		if (result.value.kind == IPP_ARRAY && !arrival->results->heads)
			touch(result.value.data, result.value.bytes);
		else if (result.value.kind == IPP_TEXT)
			touch(result.value.text, result.value.bytes + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct arrival *arrival = NULL;
	struct frame frame = {.type = FRAME_RESULTS, .head = data + 2};
	struct ipp_error err;

	if (bytes < 2)
		return 0;
	frame.head_bytes = data[0] | (size_t)data[1] << 8;
	if (frame.head_bytes > bytes - 2)
		frame.head_bytes = bytes - 2;
	if (frame.head_bytes < bytes - 2)
		frame.payload = blob_copy(data + 2 + frame.head_bytes,
					  bytes - 2 - frame.head_bytes);
	if (arrival_new(&arrival, &frame, &err) == 0)
		read_all(arrival);
	*(volatile unsigned *)&sum = sum;
	arrival_unref(arrival);
	blob_unref(frame.payload);
	return 0;
}
