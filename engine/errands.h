/* engine/errands.h - what an engine does itself, in turn with the tasks of its worker: a PUSH,
 * PULL, LIST or REMOVE sees what the tasks before it stored, and nothing of those behind it.
 *
 * Thread: loop thread only. */
#ifndef IPP_ENGINE_ERRANDS_H
#define IPP_ENGINE_ERRANDS_H

#include <stdint.h>

#include "proto/items.h"
#include "proto/link.h"

struct errand {
	struct errand *next;
	uint16_t type;
	uint64_t request, index; /* of its slice in the engine's queue */
	ProtobufCMessage *head;	 /* owned */
	struct blob *payload;	 /* one reference, or NULL */
};

struct errands {
	struct errand *first, **last;
};

void errands_init(struct errands *errands);

/* Behind all others, with a slice of its own at the end of `queue` (takes `head`, also when it
 * fails; references `payload`).  0 or -ENOMEM. */
int errands_add(struct errands *errands, struct slices *queue, uint16_t type, uint64_t request,
		uint64_t index, ProtobufCMessage *head, struct blob *payload);

/* The first one if `slice` is its, else NULL. */
struct errand *errands_due(const struct errands *errands, const struct slice *slice);

/* Out of the list (gives). */
struct errand *errands_pop(struct errands *errands);
void errand_free(struct errand *errand);

void errands_clear(struct errands *errands);

#endif
