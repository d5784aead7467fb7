#include "engine/forest/screen.h"

#include <math.h>

#include "engine/forest/kernel.h"

void screen_init(struct screen *screen, double weight, double mean, double largest)
{
	screen->weight = weight;
	screen->mean = mean;
	screen->rounding = 5 * 0x1p-24 * largest * weight / sqrt(weight - 1);
	screen->best = -1.0;
	screen->bar = 0.0;
	screen->rough_bar = 0.0f;
	screen->n = 0;
	screen->overflow = false;
}

static double square_of_positive(double root)
{
	return root > 0 ? root * root : 0.0;
}

static void raise(struct screen *screen, double gain)
{
	const double root = sqrt(gain) - 2 * SCREEN_ERROR;

	screen->best = gain;
	/* last factors are for rounding in the gain and in the comparison */
	screen->bar = square_of_positive(root) * (1 - 0x1p-40);
	screen->rough_bar = (float)(square_of_positive(root - screen->rounding) * (1 - 0x1p-20));
}

void screen_seed(struct screen *screen, float gain)
{
	const double surely = square_of_positive(sqrt(gain) - screen->rounding) * (1 - 0x1p-20);

	if (surely > screen->best)
		raise(screen, surely);
}

void screen_prune(struct screen *screen)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < screen->n; i++) {
		if (screen->candidates[i].gain >= screen->bar)
			screen->candidates[kept++] = screen->candidates[i];
	}
	screen->n = kept;
}

static double gain_of(const struct screen *screen, int64_t sum, int64_t weight)
{
	const double w = (double)weight;
	const double d = (double)sum - w * screen->mean;

	return d * d / (w * (screen->weight - w));
}

static void add(struct screen *screen, uint32_t feature, uint32_t at, double gain)
{
	if (screen->n == SCREEN_MAX)
		screen_prune(screen);
	if (screen->n == SCREEN_MAX) {
		screen->overflow = true;
		return;
	}
	screen->candidates[screen->n++] = (struct candidate){gain, feature, at};
}

void screen_offer(struct screen *screen, uint32_t feature, uint32_t at, int64_t sum, int64_t weight)
{
	const double gain = gain_of(screen, sum, weight);

	if (gain > screen->best)
		raise(screen, gain);
	if (gain >= screen->bar)
		add(screen, feature, at, gain);
}

void screen_offer_lanes(struct screen *screen, uint32_t feature, const int64_t *sums,
			unsigned lanes, const uint32_t *at, uint32_t first)
{
	double gains[16], most = -1.0;

	for (unsigned left = lanes; left; left &= left - 1) {
		const unsigned i = (unsigned)__builtin_ctz(left);

		gains[i] = gain_of(screen, sum_target(sums[i]), sum_weight(sums[i]));
		most = gains[i] > most ? gains[i] : most;
	}
	/* raised once for all of them, the bar lets few through */
	if (most > screen->best)
		raise(screen, most);
	if (most < screen->bar)
		return;
	for (; lanes; lanes &= lanes - 1) {
		const unsigned i = (unsigned)__builtin_ctz(lanes);

		if (gains[i] >= screen->bar)
			add(screen, feature, at ? at[i] : first + i, gains[i]);
	}
}
