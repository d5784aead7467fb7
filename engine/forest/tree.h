/* engine/forest/tree.h - the nodes of a forest's trees, in preorder: a node's left child follows
 * it. */
#ifndef IPP_FOREST_TREE_H
#define IPP_FOREST_TREE_H

#include <stddef.h>
#include <stdint.h>

#define NODE_LEAF UINT32_MAX
#define NODE_NONE UINT32_MAX

struct node {
	double value;	  /* a split's threshold, a leaf's prediction */
	uint32_t feature; /* NODE_LEAF in a leaf */
	uint32_t right;	  /* of a split: index of the right child in the tree */
};

struct node_list {
	struct node *nodes;
	size_t n, room;
};

/* Append; -ENOMEM and nothing changed when there is no memory. */
int node_list_add(struct node_list *list, struct node node);

/* Prediction of one tree for a row of values `stride` doubles apart. */
static inline double tree_predict(const struct node *nodes, const double *x, size_t stride)
{
	const struct node *node = nodes;

	while (node->feature != NODE_LEAF)
		node = x[node->feature * stride] <= node->value ? node + 1 : nodes + node->right;
	return node->value;
}

#endif
