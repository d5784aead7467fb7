/* engine/modules/forest/fit.c - grow some trees of a forest.
 *
 * Arguments besides a study's: chunk, how many trees a task grows; oob, importance: 1 to have them.
 * Item: which chunk.  Result: an array of bytes, "|u1": the sums of forest_oob() and its counts,
 * both as doubles, then the sums of forest_importance(), then the trees as forest_write() gives
 * them; what was not asked for is left out, and so are the trees with model=0. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/modules/forest/study.h"

ipp_function fit;

struct fitted {
	uint8_t *bytes;
	size_t n_bytes;
};

static int add_oob(const struct study *study, const struct forest *forest, double *sums,
		   struct ipp_error *err)
{
	const size_t n = study->x.n_rows;
	uint32_t *counts = calloc(n, sizeof(*counts));
	int rc;

	if (!counts)
		return study_fail(err, ENOMEM, "out of memory");
	rc = forest_oob(forest, study->data, sums, counts, err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		sums[n + i] = counts[i];
	free(counts);
	return rc;
}

static int describe(struct ipp_call *call, const struct study *study, const struct forest *forest,
		    struct fitted *out, struct ipp_error *err)
{
	const size_t oob = study_integer(call, "oob", 0) ? 2 * study->x.n_rows : 0;
	const size_t importance = study_integer(call, "importance", 0) ? study->x.n_cols : 0;
	const bool model = study_integer(call, "model", 1) != 0;
	double *sums;
	int rc = 0;

	out->n_bytes = (oob + importance) * sizeof(double) + (model ? forest_bytes(forest) : 0);
	out->bytes = calloc(1, out->n_bytes + 1);
	if (!out->bytes)
		return study_fail(err, ENOMEM, "out of memory for %zu bytes of trees",
				  out->n_bytes);
	sums = (double *)(void *)out->bytes;
	if (oob)
		rc = add_oob(study, forest, sums, err);
	if (rc == 0 && importance)
		rc = forest_importance(forest, study->data, sums + oob, err);
	if (rc == 0 && model)
		forest_write(forest, out->bytes + (oob + importance) * sizeof(double));
	return rc;
}

int fit(struct ipp_call *call)
{
	struct ipp_error err = {0};
	const struct study *study = study_get(call, &err);
	const uint64_t chunk = (uint64_t)study_integer(call, "chunk", 0);
	const uint64_t first = (uint64_t)ipp_item(call)->integer * chunk;
	struct fitted fitted = {0};
	struct forest *forest = NULL;
	uint64_t last = first + chunk;
	int rc;

	if (!study)
		return ipp_fail_call(call, err.text);
	if (last > study->options.n_trees)
		last = study->options.n_trees;
	if (first >= last)
		return ipp_fail_call(call, "there are no such trees");
	rc = forest_fit(&forest, study->data, &study->options, NULL, (uint32_t)first,
			(uint32_t)last, &err);
	if (rc == 0)
		rc = describe(call, study, forest, &fitted, &err);
	if (rc == 0) {
		const uint64_t shape[1] = {fitted.n_bytes};
		const struct ipp_value value = {.kind = IPP_ARRAY,
						.dtype = "|u1",
						.shape = shape,
						.n_dims = 1,
						.data = fitted.bytes,
						.bytes = fitted.n_bytes};

		rc = ipp_return(call, &value);
	} else {
		rc = ipp_fail_call(call, err.text);
	}
	forest_free(forest);
	free(fitted.bytes);
	return rc;
}
