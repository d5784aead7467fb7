#include <errno.h>
#include <stdlib.h>

#include "engine/forest/grower.h"
#include "engine/forest/model.h"
#include "engine/forest/rng.h"
#include "proto/error.h"

static int no_memory(const struct forest_data *data, struct ipp_error *err)
{
	return ipp_fail(err, ENOMEM,
			"forest: no memory to grow trees on %u x %u values; give the "
			"job more, or fewer rows",
			data->n, data->p);
}

int forest_fit(struct forest **gives, const struct forest_data *data,
	       const struct forest_options *options, const uint8_t *train, uint32_t first_tree,
	       uint32_t last_tree, struct ipp_error *err)
{
	struct forest *forest = NULL;
	struct grower grower;
	struct sample sample;
	int rc = forest_options_check(options, data->p, err);

	*gives = NULL;
	if (rc < 0)
		return rc;
	if (first_tree >= last_tree || last_tree > options->n_trees)
		return ipp_fail(err, EINVAL, "forest: trees %u to %u of %u are no range to grow",
				first_tree, last_tree, options->n_trees);
	rc = grower_init(&grower, data, options, kernel_choose());
	if (rc == 0) {
		forest = forest_alloc(options, data->p, first_tree, last_tree - first_tree);
	}
	if (!forest) {
		rc = no_memory(data, err);
		goto out_grower;
	}
	rc = sample_init(&sample, data, options, train, NO_ROW, err);
	if (rc < 0)
		goto out;
	for (uint32_t t = first_tree; t < last_tree; t++) {
		rc = grower_tree(&grower, &sample, rng_tree(options->seed, 0, t), &forest->nodes);
		if (rc < 0) {
			rc = no_memory(data, err);
			goto out;
		}
		forest->start[t - first_tree + 1] = forest->nodes.n;
	}
	*gives = forest;
	forest = NULL;
out:
	sample_fini(&sample);
out_grower:
	forest_free(forest);
	grower_fini(&grower);
	return rc;
}

int forest_loo_predict(const struct forest_data *data, const struct forest_options *options,
		       size_t row, double *prediction, struct ipp_error *err)
{
	struct node_list nodes = {.n = 0};
	struct grower grower;
	struct sample sample;
	double sum = 0;
	int rc = forest_options_check(options, data->p, err);

	if (rc < 0)
		return rc;
	if (row >= data->n)
		return ipp_fail(err, EINVAL, "forest: there is no row %zu; rows are 0 to %u", row,
				data->n - 1);
	rc = grower_init(&grower, data, options, kernel_choose());
	if (rc < 0) {
		rc = no_memory(data, err);
		goto out_grower;
	}
	rc = sample_init(&sample, data, options, NULL, row, err);
	for (uint32_t t = 0; rc == 0 && t < options->n_trees; t++) {
		const uint64_t key = rng_tree(options->seed, (uint64_t)row + 1, t);

		if (!options->full_trees) {
			sum += grower_path(&grower, &sample, key, (uint32_t)row);
			continue;
		}
		nodes.n = 0;
		rc = grower_tree(&grower, &sample, key, &nodes);
		if (rc < 0)
			rc = no_memory(data, err);
		else
			sum += tree_predict(nodes.nodes, data->x.x + row * data->x.row_stride,
					    data->x.col_stride);
	}
	if (rc == 0)
		*prediction = sum / options->n_trees;
	sample_fini(&sample);
	free(nodes.nodes);
out_grower:
	grower_fini(&grower);
	return rc;
}
