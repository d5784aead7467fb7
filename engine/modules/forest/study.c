#include "engine/modules/forest/study.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

IPP_MODULE

int study_fail(struct ipp_error *err, int code, const char *fmt, ...)
{
	va_list args;

	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return -code;
}

static void study_free(void *arg)
{
	struct study *study = arg;

	forest_data_free(study->data);
	free(study);
}

int64_t study_integer(const struct ipp_call *call, const char *name, int64_t otherwise)
{
	const struct ipp_value *value = ipp_argument(call, name);

	return value && value->kind == IPP_INTEGER ? value->integer : otherwise;
}

static int is_doubles(const struct ipp_value *value, size_t n_dims)
{
	return value && value->kind == IPP_ARRAY && strcmp(value->dtype, "<f8") == 0 &&
	       value->n_dims == n_dims && !value->fortran_order;
}

static double real(const struct ipp_call *call, const char *name, double otherwise)
{
	const struct ipp_value *value = ipp_argument(call, name);

	return value && value->kind == IPP_REAL ? value->real : otherwise;
}

static void read_options(const struct ipp_call *call, struct forest_options *options)
{
	forest_options_init(options);
	options->n_trees = (uint32_t)study_integer(call, "trees", options->n_trees);
	options->mtry = (uint32_t)study_integer(call, "mtry", options->mtry);
	options->min_leaf = (uint32_t)study_integer(call, "min_leaf", options->min_leaf);
	options->min_split = (uint32_t)study_integer(call, "min_split", options->min_split);
	options->max_depth = (uint32_t)study_integer(call, "max_depth", options->max_depth);
	options->seed = (uint64_t)study_integer(call, "seed", (int64_t)options->seed);
	options->replace = study_integer(call, "no_replace", 0) == 0;
	options->fraction = real(call, "fraction", options->fraction);
	options->full_trees = study_integer(call, "full_trees", 0) != 0;
}

const struct study *study_get(struct ipp_call *call, struct ipp_error *err)
{
	const struct ipp_value *x = ipp_variable(call, "forest.X");
	const struct ipp_value *y = ipp_variable(call, "forest.Y");
	void **kept = ipp_state(call, study_free);
	struct study *study;

	if (*kept)
		return *kept;
	if (!is_doubles(x, 2) || !is_doubles(y, 1) || y->shape[0] != x->shape[0]) {
		study_fail(
			err, EINVAL,
			"this engine lacks the data: forest.X and forest.Y were not pushed to it");
		return NULL;
	}
	study = calloc(1, sizeof(*study));
	if (!study) {
		study_fail(err, ENOMEM, "out of memory");
		return NULL;
	}
	study->x = forest_matrix(x->data, x->shape[0], x->shape[1]);
	study->y = y->data;
	read_options(call, &study->options);
	if (forest_options_check(&study->options, study->x.n_cols, err) < 0 ||
	    forest_data_new(&study->data, &study->x, study->y, err) < 0) {
		free(study);
		return NULL;
	}
	*kept = study;
	return study;
}
