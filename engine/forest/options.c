#include "engine/forest/forest.h"

#include <errno.h>

#include "proto/error.h"

void forest_options_init(struct forest_options *options)
{
	*options = (struct forest_options){
		.n_trees = 100,
		.min_leaf = 1,
		.min_split = 2,
		.replace = true,
		.fraction = 1.0,
	};
}

int forest_options_check(const struct forest_options *o, size_t n_cols, struct ipp_error *err)
{
	if (o->n_trees < 1 || o->n_trees > FOREST_MAX_TREES)
		return ipp_fail(err, EINVAL, "forest: trees=%u is out of range; give 1 to %u",
				o->n_trees, FOREST_MAX_TREES);
	if (o->mtry > n_cols)
		return ipp_fail(err, EINVAL,
				"forest: mtry=%u, but there are %zu features; give 1 "
				"to %zu, or 0 for all",
				o->mtry, n_cols, n_cols);
	if (o->min_leaf < 1)
		return ipp_fail(err, EINVAL, "forest: min_leaf=0; give 1 or more");
	if (o->min_split < 2)
		return ipp_fail(err, EINVAL, "forest: min_split=%u; give 2 or more", o->min_split);
	if (!(o->fraction > 0.0 && o->fraction <= 1.0))
		return ipp_fail(err, EINVAL, "forest: fraction=%g is not in (0, 1]", o->fraction);
	return 0;
}
