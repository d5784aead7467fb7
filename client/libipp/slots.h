/* client/libipp/slots.h - a place for each result that is awaited, by its index.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_SLOTS_H
#define IPP_CLIENT_LIBIPP_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct arrival;
struct ipp_error;

#define SLOT_KNOWN UINT32_MAX /* its owner has it: nothing was sent */

/* An item on its way, and then its result; all zero before. */
struct slot {
	struct arrival *arrival; /* one of its users is this slot; where it has to wait only */
	int64_t submitted_us;
	uint32_t which; /* result of the arrival, from 1; 0: none yet; or SLOT_KNOWN */
	uint32_t item_bytes;
};

/* Those of some indices that follow each other, at their index modulo n.  All zero is empty. */
struct slots {
	struct slot *at;
	size_t n; /* a power of two, or 0 */
};

/* The slot of an index that there is room for. */
struct slot *slots_of(const struct slots *slots, uint64_t index);

/* Room for `n` indices from `first` on; those in use are first .. end-1.  0 or -ENOMEM. */
int slots_grow(struct slots *slots, uint64_t first, uint64_t end, uint64_t n,
	       struct ipp_error *err);

/* The arrivals in them lose a user each. */
void slots_fini(struct slots *slots);

#endif
