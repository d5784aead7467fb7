/* proto/extent.h - where a result's bytes lie in the payload of its RESULTS frame, and whether they
 * are there at all.
 *
 * Results come from a process that user code runs in, which may have written over them: whoever
 * takes them in looks first.  Thread: any. */
#ifndef IPP_PROTO_EXTENT_H
#define IPP_PROTO_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/blob.h"
#include "proto/ipp.pb-c.h"

struct extent {
	uint64_t output; /* stdout, then stderr */
	uint64_t array;
};

/* Find the i-th result's bytes in the payload (NULL: there is none), from *offset on, which is
 * moved behind them; where they are heads alone there are none.  False: there are not as many, the
 * array is not as large as its shape, or the outcome is none. */
bool extent_find(const Ipp__Results *results, size_t i, const struct blob *payload,
		 uint64_t *offset, struct extent *out);

/* Whether that can be done with all of them. */
bool extents_fit(const Ipp__Results *results, const struct blob *payload);

#endif
