/* Out-of-bag (oob): what trees say of the rows that their samples left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/data.h"
#include "engine/forest/model.h"
#include "engine/forest/rng.h"
#include "engine/forest/sample.h"
#include "proto/error.h"

/* Visits each tree with the rows it was not grown on. */
struct oob {
	const struct forest *forest;
	const struct forest_data *data;
	struct sample sample;
	uint32_t *weights; /* by id, scratch */
	uint32_t *rows;	   /* left out by the tree at hand, ascending */
	uint32_t n_rows;
};

static int oob_init(struct oob *oob, const struct forest *forest, const struct forest_data *data,
		    struct ipp_error *err)
{
	*oob = (struct oob){.forest = forest, .data = data};
	if (forest->n_features != data->p)
		return ipp_fail(err, EINVAL,
				"forest: the data has %u columns, but the forest was fitted to %u",
				data->p, forest->n_features);
	oob->weights = malloc(data->n * sizeof(*oob->weights));
	oob->rows = malloc(data->n * sizeof(*oob->rows));
	if (!oob->weights || !oob->rows)
		return ipp_fail(err, ENOMEM, "forest: no memory for out-of-bag rows of %u",
				data->n);
	return sample_init(&oob->sample, data, &forest->options, NULL, NO_ROW, err);
}

static void oob_fini(struct oob *oob)
{
	sample_fini(&oob->sample);
	free(oob->weights);
	free(oob->rows);
}

/* Draw the sample of the forest's t-th tree again: it depends on the key alone. */
static void oob_tree(struct oob *oob, uint32_t t)
{
	const struct forest *forest = oob->forest;
	const uint64_t key = rng_tree(forest->options.seed, 0, forest->first_tree + t);

	sample_draw(&oob->sample, key, oob->data->n, oob->weights);
	oob->n_rows = 0;
	for (uint32_t row = 0; row < oob->data->n; row++)
		if (oob->weights[oob->data->id_of[row]] == 0)
			oob->rows[oob->n_rows++] = row;
}

static double predict(const struct oob *oob, uint32_t t, uint32_t row)
{
	const struct forest_matrix *x = &oob->data->x;

	return tree_predict(forest_tree(oob->forest, t), x->x + row * x->row_stride, x->col_stride);
}

int forest_oob(const struct forest *forest, const struct forest_data *data, double *sums,
	       uint32_t *counts, struct ipp_error *err)
{
	struct oob oob;
	const int rc = oob_init(&oob, forest, data, err);

	for (uint32_t t = 0; rc == 0 && t < forest->n_trees; t++) {
		oob_tree(&oob, t);
		for (uint32_t k = 0; k < oob.n_rows; k++) {
			sums[oob.rows[k]] += predict(&oob, t, oob.rows[k]);
			counts[oob.rows[k]]++;
		}
	}
	oob_fini(&oob);
	return rc;
}

/* ---- permutation importance ---- */

struct permuted {
	uint32_t *rows;	  /* oob.rows, shuffled */
	uint8_t *is_used; /* by feature: the tree splits on it */
};

static void note_used(const struct forest *forest, uint32_t t, uint8_t *is_used)
{
	const struct node *nodes = forest_tree(forest, t);
	const size_t n = forest->start[t + 1] - forest->start[t];

	memset(is_used, 0, forest->n_features);
	for (size_t i = 0; i < n; i++)
		if (nodes[i].feature != NODE_LEAF)
			is_used[nodes[i].feature] = 1;
}

static void shuffle(const struct oob *oob, uint32_t t, uint32_t feature, uint32_t *rows)
{
	const uint64_t tree = rng_tree(oob->forest->options.seed, 0, oob->forest->first_tree + t);
	const uint64_t key = rng_absorb(rng_absorb(tree, RNG_PERMUTE), feature);

	memcpy(rows, oob->rows, oob->n_rows * sizeof(*rows));
	for (uint32_t i = oob->n_rows; i > 1; i--) {
		const uint32_t j = rng_below(key, i, i);
		const uint32_t row = rows[j];

		rows[j] = rows[i - 1];
		rows[i - 1] = row;
	}
}

static double squared_error(const struct oob *oob, uint32_t row, double prediction)
{
	const double e = prediction - oob->data->y[oob->data->id_of[row]];

	return e * e;
}

/* What the tree predicts for `row` if its `feature` were `value`. */
static double predict_changed(const struct oob *oob, const struct node *nodes, uint32_t row,
			      uint32_t feature, double value)
{
	const struct node *node = nodes;

	while (node->feature != NODE_LEAF) {
		const double x = node->feature == feature
					 ? value
					 : data_value(oob->data, row, node->feature);

		node = x <= node->value ? node + 1 : nodes + node->right;
	}
	return node->value;
}

/* Mean squared error when the feature's values have changed places. */
static double permuted_error(const struct oob *oob, uint32_t t, uint32_t feature,
			     struct permuted *permuted)
{
	const struct node *nodes = forest_tree(oob->forest, t);
	double sum = 0;

	shuffle(oob, t, feature, permuted->rows);
	for (uint32_t k = 0; k < oob->n_rows; k++) {
		const double value = data_value(oob->data, permuted->rows[k], feature);
		const uint32_t row = oob->rows[k];

		sum += squared_error(oob, row, predict_changed(oob, nodes, row, feature, value));
	}
	return sum / oob->n_rows;
}

static double tree_error(const struct oob *oob, uint32_t t)
{
	double sum = 0;

	for (uint32_t k = 0; k < oob->n_rows; k++)
		sum += squared_error(oob, oob->rows[k], predict(oob, t, oob->rows[k]));
	return sum / oob->n_rows;
}

int forest_importance(const struct forest *forest, const struct forest_data *data, double *sums,
		      struct ipp_error *err)
{
	struct permuted permuted = {
		.rows = malloc(data->n * sizeof(*permuted.rows)),
		.is_used = malloc(data->p),
	};
	struct oob oob;
	int rc = oob_init(&oob, forest, data, err);

	if (rc == 0 && (!permuted.rows || !permuted.is_used))
		rc = ipp_fail(err, ENOMEM, "forest: no memory for permuted rows of %u", data->n);
	for (uint32_t t = 0; rc == 0 && t < forest->n_trees; t++) {
		double error;

		oob_tree(&oob, t);
		if (oob.n_rows == 0)
			continue;
		error = tree_error(&oob, t);
		note_used(forest, t, permuted.is_used);
		/* A feature the tree does not ask for cannot matter to it. */
		for (uint32_t f = 0; f < data->p; f++)
			if (permuted.is_used[f])
				sums[f] += permuted_error(&oob, t, f, &permuted) - error;
	}
	oob_fini(&oob);
	free(permuted.rows);
	free(permuted.is_used);
	return rc;
}
