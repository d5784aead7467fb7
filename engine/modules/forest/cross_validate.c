/* engine/modules/forest/cross_validate.c - k-fold cross-validation: fit a forest without one fold,
 * predict the rows of that fold.
 *
 * Arguments besides a study's: folds.  Item: repeat * folds + fold.  Result: an array (m, 2),
 * "<f8": each held-out row and its prediction, by row. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/modules/forest/folds.h"
#include "engine/modules/forest/study.h"

ipp_function cross_validate;

struct fold {
	uint8_t *train;	     /* n: 1 where the row is trained on */
	double *x;	     /* held-out rows, m x p */
	double *predictions; /* m */
	double *rows;	     /* m x 2: what is returned */
	uint32_t *fold_of, *order;
	size_t m;
};

static bool fold_allocate(struct fold *fold, const struct study *study)
{
	const size_t n = study->x.n_rows;

	fold->train = malloc(n);
	fold->fold_of = malloc(n * sizeof(*fold->fold_of));
	fold->order = malloc(n * sizeof(*fold->order));
	fold->predictions = malloc(n * sizeof(*fold->predictions));
	fold->rows = malloc(2 * n * sizeof(*fold->rows));
	return fold->train && fold->fold_of && fold->order && fold->predictions && fold->rows;
}

static void fold_fini(struct fold *fold)
{
	free(fold->train);
	free(fold->fold_of);
	free(fold->order);
	free(fold->predictions);
	free(fold->rows);
	free(fold->x);
}

/* Choose the rows and copy those held out. */
static int fold_fill(struct fold *fold, const struct study *study, uint32_t repeat,
		     uint32_t n_folds, uint32_t which)
{
	const size_t n = study->x.n_rows, p = study->x.n_cols;

	folds_deal(study->options.seed, repeat, (uint32_t)n, n_folds, fold->fold_of, fold->order);
	for (size_t i = 0; i < n; i++) {
		fold->train[i] = fold->fold_of[i] != which;
		if (!fold->train[i])
			fold->rows[2 * fold->m++] = (double)i;
	}
	fold->x = malloc(fold->m * p * sizeof(*fold->x));
	if (!fold->x)
		return -ENOMEM;
	for (size_t k = 0; k < fold->m; k++)
		for (size_t j = 0; j < p; j++)
			fold->x[k * p + j] = study->x.x[(size_t)fold->rows[2 * k] * p + j];
	return 0;
}

static int predict(struct fold *fold, const struct study *study, struct ipp_error *err)
{
	const struct forest_matrix held_out = forest_matrix(fold->x, fold->m, study->x.n_cols);
	struct forest *forest = NULL;
	int rc = forest_fit(&forest, study->data, &study->options, fold->train, 0,
			    study->options.n_trees, err);

	if (rc == 0)
		rc = forest_predict(forest, &held_out, fold->predictions, err);
	forest_free(forest);
	for (size_t k = 0; rc == 0 && k < fold->m; k++)
		fold->rows[2 * k + 1] = fold->predictions[k];
	return rc;
}

int cross_validate(struct ipp_call *call)
{
	struct ipp_error err = {0};
	const struct study *study = study_get(call, &err);
	const uint32_t n_folds = (uint32_t)study_integer(call, "folds", 0);
	const uint64_t item = (uint64_t)ipp_item(call)->integer;
	struct fold fold = {0};
	uint64_t shape[2] = {0, 2};
	int rc;

	if (!study)
		return ipp_fail_call(call, err.text);
	if (n_folds < 2 || n_folds > study->x.n_rows)
		return ipp_fail_call(call, "folds must be from 2 to the number of rows");
	if (!fold_allocate(&fold, study) || fold_fill(&fold, study, (uint32_t)(item / n_folds),
						      n_folds, (uint32_t)(item % n_folds)) < 0)
		rc = ipp_fail_call(call, "out of memory");
	else if (predict(&fold, study, &err) < 0)
		rc = ipp_fail_call(call, err.text);
	else {
		const struct ipp_value rows = {.kind = IPP_ARRAY,
					       .dtype = "<f8",
					       .shape = shape,
					       .n_dims = 2,
					       .data = fold.rows,
					       .bytes = 2 * fold.m * sizeof(double)};

		shape[0] = fold.m;
		rc = ipp_return(call, &rows);
	}
	fold_fini(&fold);
	return rc;
}
