/* controller/ids.h - a short list of requests' ids.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_IDS_H
#define IPP_CONTROLLER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is the empty one; free(ids.at) at the end. */
struct ids {
	uint64_t *at;
	size_t n;
};

int ids_add(struct ids *ids, uint64_t id);     /* 0 or -ENOMEM, the list unchanged */
bool ids_remove(struct ids *ids, uint64_t id); /* the first of them; whether it was there */
bool ids_have(const struct ids *ids, uint64_t id);

#endif
