/* engine/forest/sample.h - which rows a tree is grown on, and how often each was drawn. */
#ifndef IPP_FOREST_SAMPLE_H
#define IPP_FOREST_SAMPLE_H

#include "engine/forest/data.h"

/* The rows to train on, as ids in ascending order of row. */
struct sample {
	uint32_t n;
	uint32_t *ids;
	uint32_t *shuffled; /* room to draw without replacement; NULL with */
	uint32_t draws;	    /* a tree's */
};

/* All rows, less those where train is zero (when not NULL), less `without` (a row, or NO_ROW).
 * -ENOMEM; -EINVAL when no row is left. */
#define NO_ROW SIZE_MAX
int sample_init(struct sample *sample, const struct forest_data *data,
		const struct forest_options *options, const uint8_t *train, size_t without,
		struct ipp_error *err);
void sample_fini(struct sample *sample);

/* Draw for the tree of this key: weights[id] for all n ids of the data.  Returns the number of
 * distinct rows. */
uint32_t sample_draw(struct sample *sample, uint64_t tree_key, uint32_t n_ids, uint32_t *weights);

#endif
