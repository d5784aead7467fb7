/* engine/forest/forest.h - random-forest regression: exact, reproducible, fast.
 *
 * Method: Breiman, "Random forests", Machine Learning 45 (2001), with CART regression trees as in
 * scikit-learn's RandomForestRegressor(max_features=1.0), whose conventions are followed:
 *   - a tree is grown on a bootstrap of the training rows: as many draws as there are rows, with
 *     replacement; a row drawn k times has weight k and is one row to min_split and min_leaf;
 *   - a node is split at the pair (feature, threshold) that most decreases the weighted squared
 *     error, over all distinct values of the features tried; a split of no decrease is taken too
 *     as long as the targets differ, so that leaves are pure by default;
 *   - the threshold is the midpoint of the two neighbouring values in the node; x <= threshold
 *     goes left; a leaf predicts the weighted mean of its targets, a forest the mean of its trees.
 *
 * Exact: decreases are compared in integers, as rational numbers, never in floating point; targets
 * enter as multiples of 2^-62 of the largest |y| in the node.  Vector units and narrow numbers only
 * find candidates (docs/forest.md has the bounds).
 *
 *   - Ties: among features, the one first in the node's own uniformly random order of features;
 *     within a feature, the lowest threshold.
 *
 *   - mtry: the first mtry features in the node's order; when all of those are constant in the
 *     node, the order is followed up to the first feature that is not.
 *
 *   - NaN and infinities are refused with row and column named.  -0.0 equals 0.0.
 *
 * Reproducible: all random numbers are functions of (seed, held-out row, tree, place of the node in
 * the tree), see rng.h.  A result is the same bits on any x86-64 CPU, whatever IPP_SIMD says, for
 * any compiler and optimisation level, and however trees and rows are spread over engines.
 *
 * Units: rows, columns, trees and nodes count from 0.  Thread: none of these keeps state between
 * calls; a forest_data or forest may be read from many threads at once.  Errors: 0 or a negative
 * errno; err (may be NULL) then has the sentence. */
#ifndef IPP_FOREST_H
#define IPP_FOREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipp_error;
struct forest_data; /* a data set made ready: sorted columns and dense ranks */
struct forest;	    /* fitted trees */

#define FOREST_MAX_ROWS 50000000u
#define FOREST_MAX_COLUMNS (1u << 24)
#define FOREST_MAX_TREES (1u << 24)

/* Cell (i, j) is x[i * row_stride + j * col_stride]; strides count doubles. */
struct forest_matrix {
	const double *x;
	size_t n_rows, n_cols;
	size_t row_stride, col_stride;
};

/* A row-major array of n_rows x n_cols, as NumPy's default. */
static inline struct forest_matrix forest_matrix(const double *x, size_t n_rows, size_t n_cols)
{
	const struct forest_matrix m = {x, n_rows, n_cols, n_cols, 1};

	return m;
}

struct forest_options {
	uint32_t n_trees;   /* 100 */
	uint32_t mtry;	    /* features tried at each node; 0: all, the default */
	uint32_t min_leaf;  /* 1: distinct rows a leaf must keep */
	uint32_t min_split; /* 2: a node of fewer distinct rows is a leaf */
	uint32_t max_depth; /* 0: no limit; else edges from the root to the deepest leaf */
	bool replace;	    /* true: draw rows with replacement */
	double fraction;    /* 1.0: draws per training row, in (0, 1]; at least one draw */
	uint64_t seed;	    /* 0 */
	bool full_trees;    /* false; loo grows whole trees, to the same bits, more slowly */
};

void forest_options_init(struct forest_options *options);

/* -EINVAL with a sentence that names the option and the values allowed. */
int forest_options_check(const struct forest_options *options, size_t n_cols,
			 struct ipp_error *err);

/* ---- data ---- */

/* Sort once what every tree on this data shares.  x->x is borrowed until forest_data_free; y
 * (n_rows doubles) is copied.  -EINVAL: no rows or columns, too many, a NaN or an infinity;
 * -ENOMEM. */
int forest_data_new(struct forest_data **gives, const struct forest_matrix *x, const double *y,
		    struct ipp_error *err);
void forest_data_free(struct forest_data *data); /* NULL is fine */
size_t forest_data_rows(const struct forest_data *data);
size_t forest_data_cols(const struct forest_data *data);

/* ---- fit and predict ---- */

/* Grow trees first_tree <= t < last_tree of the forest that `options` describe.
 *   train  n_rows bytes, non-zero for rows to train on; NULL: all.  Trees depend on the rows chosen
 *          and on the seed alone.
 * -EINVAL: a bad option or range, no training row; -ENOMEM. */
int forest_fit(struct forest **gives, const struct forest_data *data,
	       const struct forest_options *options, const uint8_t *train, uint32_t first_tree,
	       uint32_t last_tree, struct ipp_error *err);

/* One forest of all the trees of `parts` (borrowed), which must follow each other without gap and
 * agree in everything else: what one fit of the whole range gives, bit for bit. */
int forest_join(struct forest **gives, const struct forest *const *parts, size_t n_parts,
		struct ipp_error *err);
void forest_free(struct forest *forest); /* NULL is fine */

uint32_t forest_trees(const struct forest *forest);
size_t forest_cols(const struct forest *forest);
size_t forest_nodes(const struct forest *forest);			      /* leaves included */
const struct forest_options *forest_get_options(const struct forest *forest); /* borrows */

/* Mean of the trees for each row of x, summed in tree order, into predictions (x->n_rows doubles).
 * -EINVAL: another number of columns than in training, or a NaN or infinity. */
int forest_predict(const struct forest *forest, const struct forest_matrix *x, double *predictions,
		   struct ipp_error *err);

/* ---- out of bag ---- */

/* Add, for each row, the predictions of the trees whose samples left it out (Breiman's out-of-bag,
 * oob), and how many there were: sums and counts have data's n_rows and begin at 0.  The forest was
 * fitted to all rows of `data`; a part of one adds its share.
 * A tree of n - 1 draws (fraction (n - 1) / n) that left row i out is a tree of the leave-one-out
 * forest of row i, as often as such trees are: oob means estimate what loo computes.
 * -EINVAL: another number of columns; -ENOMEM. */
int forest_oob(const struct forest *forest, const struct forest_data *data, double *sums,
	       uint32_t *counts, struct ipp_error *err);

/* Permutation importance (Breiman 2001, as R's randomForest and ranger, unscaled): add, for each
 * feature, by how much the mean squared error of each tree on its oob rows grows when the feature's
 * values change places among them; sums has data's n_cols.  Divide by the number of trees. */
int forest_importance(const struct forest *forest, const struct forest_data *data, double *sums,
		      struct ipp_error *err);

/* ---- as bytes ---- */

/* A forest, or a part of one, in a versioned form without pointers: persist.c has the layout.
 * `out` has room for forest_bytes(). */
size_t forest_bytes(const struct forest *forest);
void forest_write(const struct forest *forest, uint8_t *out);

/* -EINVAL: not a model, another version, cut or damaged; whatever the bytes are, a forest that this
 * gives can be predicted with. */
int forest_read(struct forest **gives, const void *bytes, size_t n_bytes, struct ipp_error *err);

/* ---- leave-one-out ---- */

/* Prediction for `row` of the forest fitted to all other rows.  Only nodes on the row's own path
 * are grown, since no other can reach the prediction. */
int forest_loo_predict(const struct forest_data *data, const struct forest_options *options,
		       size_t row, double *prediction, struct ipp_error *err);

#endif
