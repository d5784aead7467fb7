#include "engine/forest/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/data.h"
#include "proto/error.h"

struct forest *forest_alloc(const struct forest_options *options, uint32_t n_features,
			    uint32_t first_tree, uint32_t n_trees)
{
	struct forest *forest = calloc(1, sizeof(*forest));

	if (!forest)
		return NULL;
	forest->start = calloc((size_t)n_trees + 1, sizeof(*forest->start));
	if (!forest->start) {
		free(forest);
		return NULL;
	}
	forest->options = *options;
	forest->n_features = n_features;
	forest->first_tree = first_tree;
	forest->n_trees = n_trees;
	return forest;
}

void forest_free(struct forest *forest)
{
	if (!forest)
		return;
	free(forest->start);
	free(forest->nodes.nodes);
	free(forest);
}

static bool same_forest(const struct forest *a, const struct forest *b)
{
	const struct forest_options *const o = &a->options, *const q = &b->options;

	return a->n_features == b->n_features && o->n_trees == q->n_trees && o->mtry == q->mtry &&
	       o->min_leaf == q->min_leaf && o->min_split == q->min_split &&
	       o->max_depth == q->max_depth && o->replace == q->replace &&
	       o->fraction == q->fraction && o->seed == q->seed;
}

int forest_join(struct forest **gives, const struct forest *const *parts, size_t n_parts,
		struct ipp_error *err)
{
	struct forest *joined;
	size_t n_nodes = 0;
	uint32_t n_trees = 0;

	*gives = NULL;
	if (n_parts == 0)
		return ipp_fail(err, EINVAL, "forest: no parts to join");
	for (size_t i = 0; i < n_parts; i++) {
		if (!same_forest(parts[i], parts[0]))
			return ipp_fail(err, EINVAL,
					"forest: part %zu was fitted with other "
					"options or columns than part 0",
					i);
		if (parts[i]->first_tree != parts[0]->first_tree + n_trees)
			return ipp_fail(err, EINVAL,
					"forest: part %zu begins with tree %u where "
					"tree %u should follow",
					i, parts[i]->first_tree, parts[0]->first_tree + n_trees);
		n_trees += parts[i]->n_trees;
		n_nodes += parts[i]->nodes.n;
	}
	joined = forest_alloc(&parts[0]->options, parts[0]->n_features, parts[0]->first_tree,
			      n_trees);
	if (joined)
		joined->nodes.nodes = malloc(n_nodes * sizeof(*joined->nodes.nodes));
	if (!joined || !joined->nodes.nodes) {
		forest_free(joined);
		return ipp_fail(err, ENOMEM, "forest: no memory for %zu nodes", n_nodes);
	}
	joined->nodes.room = n_nodes;
	n_trees = 0;
	for (size_t i = 0; i < n_parts; i++) {
		memcpy(joined->nodes.nodes + joined->nodes.n, parts[i]->nodes.nodes,
		       parts[i]->nodes.n * sizeof(struct node));
		for (uint32_t t = 0; t < parts[i]->n_trees; t++)
			joined->start[n_trees++] = joined->nodes.n + parts[i]->start[t];
		joined->nodes.n += parts[i]->nodes.n;
	}
	joined->start[n_trees] = joined->nodes.n;
	*gives = joined;
	return 0;
}

uint32_t forest_trees(const struct forest *forest)
{
	return forest->n_trees;
}

size_t forest_cols(const struct forest *forest)
{
	return forest->n_features;
}

size_t forest_nodes(const struct forest *forest)
{
	return forest->nodes.n;
}

const struct forest_options *forest_get_options(const struct forest *forest)
{
	return &forest->options;
}

int forest_predict(const struct forest *forest, const struct forest_matrix *x, double *predictions,
		   struct ipp_error *err)
{
	int rc;

	if (x->n_cols != forest->n_features)
		return ipp_fail(err, EINVAL,
				"forest: x has %zu columns, but the forest was fitted "
				"to %u",
				x->n_cols, forest->n_features);
	rc = data_check_finite(x, err);
	if (rc < 0)
		return rc;
	memset(predictions, 0, x->n_rows * sizeof(*predictions));
	for (uint32_t t = 0; t < forest->n_trees; t++) {
		for (size_t i = 0; i < x->n_rows; i++)
			predictions[i] += tree_predict(forest_tree(forest, t),
						       x->x + i * x->row_stride, x->col_stride);
	}
	for (size_t i = 0; i < x->n_rows; i++)
		predictions[i] /= forest->n_trees;
	return 0;
}
