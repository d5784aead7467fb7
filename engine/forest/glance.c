#include "engine/forest/glance.h"

#include <math.h>

/* Halves of sums are less than 2^15: those of weights are at most this, those of targets too but
 * for rounding, by less than half of the rows. */
#define LARGEST (0x1p15 - 1 - LOCAL_MAX / 2.0)

void glance_begin(struct glance *glance, const struct screen *screen, const uint16_t *ids,
		  unsigned m, const int64_t *table)
{
	double sum = 0;

	glance->ids = ids;
	glance->m = m;
	glance->least = 0;
	for (unsigned i = 0; i < m; i++) {
		const int64_t entry = table[ids[i]];
		const int64_t w = sum_weight(entry);

		sum += (double)sum_target(entry) - (double)w * screen->mean;
		glance->least = sum < glance->least ? sum : glance->least;
		glance->sums[i] = sum;
		glance->weights[i] = (uint32_t)w;
	}
	glance_set_bar(glance, screen);
}

void glance_set_bar(struct glance *glance, const struct screen *screen)
{
	const double root = sqrt(screen->bar);
	/* targets ascend: no sum of some is beyond the least of these */
	const double scale = LARGEST / fmax(-glance->least, root * screen->weight);
	const double c = floor(root * scale - 1.001);
	const int32_t per_weight = c > 0 ? (int32_t)c : 0;
	const double half = 0x1p15 + 0.5; /* what is rounded is positive */
	int32_t before = (int32_t)half;

	glance->bar = screen->bar;
	glance->weight = per_weight * (int32_t)screen->weight;
	for (unsigned i = 0; i < glance->m; i++) {
		const int32_t sum = (int32_t)(glance->sums[i] * scale + half);

		glance->table[2 * glance->ids[i] + 1] = (sum - before) * 0x10000 +
							per_weight * (int32_t)glance->weights[i];
		before = sum;
	}
}
