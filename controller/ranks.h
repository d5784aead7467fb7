/* controller/ranks.h - a set of ranks.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_RANKS_H
#define IPP_CONTROLLER_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is the empty set. */
struct ranks {
	uint64_t *words;
	size_t n_words;
};

int ranks_add(struct ranks *ranks, uint32_t rank);     /* 0 or -ENOMEM, the set unchanged */
bool ranks_remove(struct ranks *ranks, uint32_t rank); /* whether it was there */
bool ranks_have(const struct ranks *ranks, uint32_t rank);
void ranks_keep(struct ranks *ranks, const struct ranks *others); /* those in both alone */
int ranks_join(struct ranks *ranks, const struct ranks *others);  /* add them all; likewise */
void ranks_fini(struct ranks *ranks);				  /* it is empty then */

#endif
