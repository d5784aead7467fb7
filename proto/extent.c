#include "proto/extent.h"

#include "proto/frame.h"
#include "proto/value.h"

/* Move *offset behind `bytes` more of a payload of `end`; false when it is shorter. */
static bool advance(uint64_t *offset, uint64_t bytes, uint64_t end)
{
	if (bytes > end - *offset)
		return false;
	*offset += bytes;
	return true;
}

static bool is_sound(const Ipp__Result *result)
{
	return (unsigned)result->outcome <= IPP__OUTCOME__TIMED_OUT &&
	       value_is_whole(result->value);
}

bool extent_find(const Ipp__Result *result, const struct blob *payload, uint64_t *offset,
		 struct extent *out)
{
	const uint64_t end = payload ? payload->bytes : 0;

	out->output = *offset;
	if (!is_sound(result) || !advance(offset, result->stdout_bytes, end) ||
	    !advance(offset, result->stderr_bytes, end))
		return false;
	if (value_array_bytes(result->value) > 0 && !advance(offset, array_padding(*offset), end))
		return false;
	out->array = *offset;
	return advance(offset, value_array_bytes(result->value), end);
}

bool extents_fit(const Ipp__Results *results, const struct blob *payload)
{
	struct extent extent;
	uint64_t offset = 0;

	for (size_t i = 0; i < results->n_results; i++)
		if (results->heads ? !is_sound(results->results[i])
				   : !extent_find(results->results[i], payload, &offset, &extent))
			return false;
	return true;
}
