/* engine/forest/model.h - the inside of a fitted forest. */
#ifndef IPP_FOREST_MODEL_H
#define IPP_FOREST_MODEL_H

#include "engine/forest/forest.h"
#include "engine/forest/tree.h"

struct forest {
	struct forest_options options;
	uint32_t n_features;
	uint32_t first_tree,
		n_trees; /* trees first_tree ... first_tree + n_trees - 1 of the options' */
	size_t *start;	 /* n_trees + 1: tree t has nodes start[t] to start[t + 1] - 1 */
	struct node_list nodes;
};

/* NULL when out of memory. */
struct forest *forest_alloc(const struct forest_options *options, uint32_t n_features,
			    uint32_t first_tree, uint32_t n_trees);

static inline const struct node *forest_tree(const struct forest *forest, uint32_t t)
{
	return forest->nodes.nodes + forest->start[t];
}

#endif
