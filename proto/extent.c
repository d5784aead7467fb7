#include "proto/extent.h"

#include "proto/frame.h"
#include "proto/value.h"

/* Move *offset behind `bytes` more of a payload of `end`; false when it is shorter. */
static inline bool advance(uint64_t *offset, uint64_t bytes, uint64_t end)
{
	if (bytes > end - *offset)
		return false;
	*offset += bytes;
	return true;
}

/* NULL: its value is none. */
static inline const Ipp__Array *array_of(const Ipp__Result *result)
{
	return result->value && result->value->kind_case == IPP__VALUE__KIND_ARRAY
		       ? result->value->array
		       : NULL;
}

static inline bool find(const Ipp__Result *result, bool heads, uint64_t end, uint64_t *offset,
			struct extent *out)
{
	const Ipp__Array *array = array_of(result);

	*out = (struct extent){*offset, *offset};
	if ((unsigned)result->outcome > IPP__OUTCOME__TIMED_OUT ||
	    (array && !value_is_whole(result->value)))
		return false;
	if (heads)
		return true;
	if (!advance(offset, result->stdout_bytes, end) ||
	    !advance(offset, result->stderr_bytes, end))
		return false;
	if (!array || array->bytes == 0)
		return true;
	if (!advance(offset, array_padding(*offset), end))
		return false;
	out->array = *offset;
	return advance(offset, array->bytes, end);
}

bool extent_find(const Ipp__Results *results, size_t i, const struct blob *payload,
		 uint64_t *offset, struct extent *out)
{
	return find(results->results[i], results->heads, payload ? payload->bytes : 0, offset, out);
}

bool extents_fit(const Ipp__Results *results, const struct blob *payload)
{
	const uint64_t end = payload ? payload->bytes : 0;
	struct extent extent;
	uint64_t offset = 0;

	for (size_t i = 0; i < results->n_results; i++)
		if (!find(results->results[i], results->heads, end, &offset, &extent))
			return false;
	return true;
}
