#include "engine/forest/sample.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/rng.h"
#include "proto/error.h"

int sample_init(struct sample *sample, const struct forest_data *data,
		const struct forest_options *options, const uint8_t *train, size_t without,
		struct ipp_error *err)
{
	*sample = (struct sample){.ids = malloc(data->n * sizeof(*sample->ids))};
	if (!options->replace)
		sample->shuffled = malloc(data->n * sizeof(*sample->shuffled));
	if (!sample->ids || (!options->replace && !sample->shuffled))
		return ipp_fail(err, ENOMEM, "forest: no memory for the sample of %u rows",
				data->n);
	for (uint32_t row = 0; row < data->n; row++) {
		if (row != without && (!train || train[row]))
			sample->ids[sample->n++] = data->id_of[row];
	}
	if (sample->n == 0)
		return ipp_fail(err, EINVAL, "forest: no row is left to train on");
	sample->draws = (uint32_t)floor(options->fraction * sample->n + 0.5);
	if (sample->draws == 0)
		sample->draws = 1;
	return 0;
}

void sample_fini(struct sample *sample)
{
	free(sample->ids);
	free(sample->shuffled);
}

uint32_t sample_draw(struct sample *sample, uint64_t tree_key, uint32_t n_ids, uint32_t *weights)
{
	const uint64_t key = rng_absorb(tree_key, RNG_BOOTSTRAP);
	uint32_t distinct = 0;

	memset(weights, 0, n_ids * sizeof(*weights));
	if (sample->shuffled) {
		memcpy(sample->shuffled, sample->ids, sample->n * sizeof(*sample->ids));
		for (uint32_t j = 0; j < sample->draws; j++) {
			const uint32_t k = j + rng_below(key, j, sample->n - j);

			weights[sample->shuffled[k]] = 1;
			sample->shuffled[k] = sample->shuffled[j];
		}
		return sample->draws;
	}
	for (uint32_t j = 0; j < sample->draws; j++)
		weights[sample->ids[rng_below(key, j, sample->n)]]++;
	for (uint32_t id = 0; id < n_ids; id++)
		distinct += weights[id] != 0;
	return distinct;
}
