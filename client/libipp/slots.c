#include "client/libipp/slots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "client/libipp/arrival.h"
#include "proto/error.h"

#define SLOTS_MIN 16

struct slot *slots_of(const struct slots *slots, uint64_t index)
{
	return &slots->at[index & (slots->n - 1)];
}

int slots_grow(struct slots *slots, uint64_t first, uint64_t end, uint64_t n, struct ipp_error *err)
{
	struct slots larger = {.n = slots->n ? slots->n : SLOTS_MIN};

	while (larger.n < n)
		larger.n *= 2;
	if (larger.n == slots->n)
		return 0;
	larger.at = calloc(larger.n, sizeof(*larger.at));
	if (!larger.at)
		return ipp_fail(err, ENOMEM, "out of memory for %" PRIu64 " results", n);
	for (uint64_t i = first; i < end; i++)
		*slots_of(&larger, i) = *slots_of(slots, i);
	free(slots->at);
	*slots = larger;
	return 0;
}

void slots_fini(struct slots *slots)
{
	for (size_t i = 0; i < slots->n; i++)
		arrival_unref(slots->at[i].arrival);
	free(slots->at);
}
