/* engine/modules/forest/predict.c - predict rows by a fitted forest.
 *
 * Variables: forest.model, bytes of forest_write(); forest.X (n x p), "<f8".  Arguments: chunk, how
 * many rows a task predicts.  Item: which chunk.  Result: an array (m), "<f8". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ipp/module.h>

#include "engine/forest/forest.h"
#include "engine/modules/forest/study.h"

ipp_function predict;

static void release(void *forest)
{
	forest_free(forest);
}

/* Read once a call. */
static const struct forest *model(struct ipp_call *call, struct ipp_error *err)
{
	const struct ipp_value *bytes = ipp_variable(call, "forest.model");
	void **kept = ipp_state(call, release);
	struct forest *forest = *kept;

	if (forest)
		return forest;
	if (!bytes || bytes->kind != IPP_ARRAY) {
		study_fail(err, EINVAL,
			   "this engine lacks the model: forest.model was not pushed to it");
		return NULL;
	}
	if (forest_read(&forest, bytes->data, bytes->bytes, err) < 0)
		return NULL;
	*kept = forest;
	return forest;
}

int predict(struct ipp_call *call)
{
	const struct ipp_value *x = ipp_variable(call, "forest.X");
	const uint64_t chunk = (uint64_t)study_integer(call, "chunk", 1);
	const uint64_t first = (uint64_t)ipp_item(call)->integer * chunk;
	struct ipp_error err = {0};
	const struct forest *forest = model(call, &err);
	struct forest_matrix rows;
	double *predictions;
	int rc;

	if (!forest)
		return ipp_fail_call(call, err.text);
	if (!x || x->kind != IPP_ARRAY || strcmp(x->dtype, "<f8") != 0 || x->n_dims != 2 ||
	    x->fortran_order || first >= x->shape[0])
		return ipp_fail_call(call,
				     "this engine lacks the rows: forest.X was not pushed to it");
	rows = forest_matrix((const double *)x->data + first * x->shape[1],
			     first + chunk < x->shape[0] ? chunk : x->shape[0] - first,
			     x->shape[1]);
	predictions = malloc(rows.n_rows * sizeof(*predictions));
	if (!predictions)
		return ipp_fail_call(call, "out of memory");
	if (forest_predict(forest, &rows, predictions, &err) < 0) {
		rc = ipp_fail_call(call, err.text);
	} else {
		const uint64_t shape[1] = {rows.n_rows};
		const struct ipp_value value = {.kind = IPP_ARRAY,
						.dtype = "<f8",
						.shape = shape,
						.n_dims = 1,
						.data = predictions,
						.bytes = rows.n_rows * sizeof(*predictions)};

		rc = ipp_return(call, &value);
	}
	free(predictions);
	return rc;
}
