/* engine/modules/forest/loo.c - leave-one-out (loo): fit a forest without one row, predict that
 * row. Item: the row.  Result: its prediction, a real. */
#include "engine/modules/forest/study.h"

ipp_function loo;

int loo(struct ipp_call *call)
{
	struct ipp_error err = {0};
	const struct study *study = study_get(call, &err);
	const size_t row = (size_t)ipp_item(call)->integer;
	double prediction;

	if (!study || forest_loo_predict(study->data, &study->options, row, &prediction, &err) < 0)
		return ipp_fail_call(call, err.text);
	return ipp_return_real(call, prediction);
}
