#include "client/oob.h"

#include <errno.h>
#include <math.h>

#include "engine/forest/forest.h"

/* How many trees left out the row that the fewest did, of all rows: what is predicted for one row
 * must not depend on which others are asked for. */
static double least(const struct grown *grown)
{
	double count = INFINITY;

	for (size_t i = 0; i < grown->n; i++)
		count = fmin(count, grown->oob_counts[i]);
	return count;
}

/* As the forest itself rounds it (forest.h). */
size_t oob_draws(const struct study *study, size_t n)
{
	return (size_t)fmax(1, floor(study->fraction * (double)(n - 1) + 0.5));
}

/* How many trees there should be next: what the worst row lacks, at the rate at which a row is left
 * out. */
static uint64_t wanted(const struct grown *grown, const struct study *study, double worst)
{
	const double n = (double)grown->n;
	const double draws = (double)oob_draws(study, grown->n);
	const double rate = study->no_replace ? 1 - draws / n : pow(1 - 1 / n, draws);
	const double more = ((double)study->trees - worst) / rate;

	return grown->trees + (uint64_t)ceil(more / GROW_CHUNK) * GROW_CHUNK;
}

int oob_predict(struct ipp_client *client, const struct study *study, const struct table *table,
		const size_t *rows, size_t n_rows, struct grown *grown, double *predictions,
		struct ipp_error *err)
{
	struct study large = *study;
	double worst = 0;

	large.trees = FOREST_MAX_TREES;
	large.fraction = (double)oob_draws(study, table->n) / (double)table->n;
	while (worst < (double)study->trees) {
		const uint64_t last = wanted(grown, study, worst);
		int rc;

		if (last > FOREST_MAX_TREES)
			return ipp_fail(
				err, E2BIG,
				"ipp-run loo: --estimator oob would need more than %u trees: ask "
				"for fewer with --trees",
				FOREST_MAX_TREES);
		rc = grow(client, &large, last, grown, err);
		if (rc < 0)
			return rc;
		worst = least(grown);
	}
	for (size_t i = 0; i < n_rows; i++)
		predictions[i] = grown->oob_sums[rows[i]] / grown->oob_counts[rows[i]];
	return 0;
}
