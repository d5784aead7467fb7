/* engine/modules/forest/study.h - what all tasks of one call to forest.so share: the data, made
 * ready once, and the options.
 *
 * Variables: forest.X (n x p) and forest.Y (n), "<f8", C order.  Arguments, all integers: trees,
 * mtry (0: all), min_leaf, min_split, max_depth (0: none), seed, full_trees, no_replace; and
 * fraction, a real (1.0). */
#ifndef IPP_MODULES_FOREST_STUDY_H
#define IPP_MODULES_FOREST_STUDY_H

#include <ipp/error.h>
#include <ipp/module.h>

#include "engine/forest/forest.h"

struct study {
	struct forest_data *data;
	struct forest_matrix x; /* borrowed from the variable */
	const double *y;
	struct forest_options options;
};

/* The call's study, made at its first task on this worker; NULL and the reason. */
const struct study *study_get(struct ipp_call *call, struct ipp_error *err);

/* Fill *err; returns -code. */
int study_fail(struct ipp_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* An integer argument; `otherwise` when it was not given. */
int64_t study_integer(const struct ipp_call *call, const char *name, int64_t otherwise);

#endif
