/* client/libipp/arrival.h - a frame of results, kept as long as somebody wants one of them.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_ARRIVAL_H
#define IPP_CLIENT_LIBIPP_ARRIVAL_H

#include "client/ipp/client.h"
#include "proto/link.h"

/* What the frame does not say of a result itself. */
struct place {
	const uint8_t *bytes; /* in the payload: stdout, then stderr */
	const uint8_t *array;
	int64_t submitted_us;
	uint32_t item_bytes;
};

struct arrival {
	Ipp__Results *results;
	struct blob *payload;
	struct arrival *next; /* in a queue of its owner's */
	size_t users;
	struct place places[]; /* of each result */
};

/* Take a RESULTS frame apart (gives, with one user).  -EPROTO when head and payload disagree,
 * -ENOMEM. */
int arrival_new(struct arrival **out, const struct frame *frame, struct ipp_error *err);
void arrival_unref(struct arrival *arrival); /* NULL is fine */

/* The i-th of them (borrows from the arrival); all but its host. */
void arrival_read(const struct arrival *arrival, size_t i, struct ipp_result *out);

#endif
