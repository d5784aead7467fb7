/* engine/forest/grower.h - the state in which trees are grown, shared by the files that search and
 * split nodes.  One grower serves many trees, one at a time; its memory is the fit's.
 *
 * A node's rows are the same interval of several lists: one for each feature, in ascending order of
 * value, and one in ascending order of target (ids ascending).  Splitting a node partitions the
 * intervals, stably, so no tree sorts anything.  There are two sets of lists:
 *
 *   - wide: 32-bit ids, for nodes of more rows than the kernel's local_max;
 *
 *   - local: 16-bit ids, into which a subtree is copied and renumbered once it is small enough.  A
 *     data set of at most local_max rows starts there, with its own ids.
 *
 * Nodes of at most the kernel's small_max rows use the target list alone, and the rank table.
 *
 * A table has an entry for each row: its target in quanta (whole numbers, centred on the middle of
 * the table's span) times its weight, and its weight; see sum_target().  Packed, it has so few bits
 * that sums over the node keep to their halves.  Otherwise, in nodes of much weight, only
 * single entries do, and the halves are summed apart. */
#ifndef IPP_FOREST_GROWER_H
#define IPP_FOREST_GROWER_H

#include "engine/forest/data.h"
#include "engine/forest/exact.h"
#include "engine/forest/feature_order.h"
#include "engine/forest/glance.h"
#include "engine/forest/kernel.h"
#include "engine/forest/sample.h"
#include "engine/forest/tree.h"

/* Nodes below this weight have packed tables, and only such are local. */
#define PACKED_WEIGHT (1u << 15)

struct lists {
	bool wide;
	void *ids; /* list f begins at f * stride; list p is in order of target */
	size_t stride;
	double *y; /* by the lists' ids */
	uint32_t *weights;
	uint32_t *global; /* lists' id -> id; NULL when they are the same */
	int64_t *table;	  /* entries by the lists' ids */
	uint32_t n_ids;	  /* local: ids are below this */
};

/* A node that waits to be split. */
struct task {
	uint64_t key;	 /* of its random numbers */
	uint64_t weight; /* W */
	int64_t sum;	 /* of its rows' targets times weights, in the table */
	double quanta;	 /* per unit of y, in its rows' entries; 0: no entries */
	double largest;	 /* |target| in those entries */
	bool packed;	 /* those entries */
	bool local;
	bool listed;	      /* features' lists are in place */
	uint32_t from;	      /* its interval in the features' lists */
	uint32_t target_from; /* and in the target list */
	uint32_t m;	      /* distinct rows */
	uint32_t depth;
	uint32_t parent; /* the node whose right child this is, or NODE_NONE */
};

/* A split that was found. */
struct split {
	uint32_t feature;
	uint32_t n_left;       /* distinct rows */
	uint32_t below, above; /* ids of the rows whose values neighbour the threshold */
};

struct tie {
	uint32_t feature; /* or its place among those tried */
	uint32_t at;
};

/* Lists are summed and their splits offered in blocks, so that sums stay in the nearest cache. */
#define SUM_BLOCK 1024

struct grower {
	const struct forest_data *data;
	const struct forest_options *options;
	const struct kernel *kernel;
	uint32_t mtry;
	uint32_t *weights; /* by id: draws of this tree */
	struct lists wide, local;
	uint16_t *local_of; /* id -> local id, when local.global is used */
	uint64_t *sides;    /* wide lists: a bit for each id */
	struct marks marks; /* local lists: the same */

	uint32_t *wide_room; /* for the wide partition */
	uint16_t room[LOCAL_MAX + LIST_SLACK];
	uint32_t group_ends[SUM_BLOCK];
	int64_t sums[2][SUM_BLOCK + SUM_SLACK];
	struct feature_order order;
	uint32_t *tried;    /* features tried at this node, in order, when not all are */
	void *packed_ranks; /* small nodes: the ranks of those, row by row */
	struct tie *ties;   /* features with the best split */
	uint8_t *is_tied;   /* by feature, 0 between uses */
	uint64_t *hits;
	float *gains;
	int32_t *keys;
	struct task *stack;
	size_t n_stack, stack_room;
	struct screen screen;
	struct glance glance;
};

/* Which children will be grown. */
enum keep { KEEP_BOTH, KEEP_LEFT, KEEP_RIGHT };

/* Returns -ENOMEM when memory is short; grower_fini is due either way. */
int grower_init(struct grower *grower, const struct forest_data *data,
		const struct forest_options *options, const struct kernel *kernel);
void grower_fini(struct grower *grower);

/* Grow the tree of this key on a fresh draw from `sample`, appending its nodes to `nodes`. -ENOMEM.
 */
int grower_tree(struct grower *grower, struct sample *sample, uint64_t tree_key,
		struct node_list *nodes);

/* Grow only what `row` reaches, and say what the tree predicts for it. */
double grower_path(struct grower *grower, struct sample *sample, uint64_t tree_key, uint32_t row);

/* ---- lists.c ---- */

/* Fill the features' and target lists with the rows of the drawn sample. */
void lists_start(struct grower *grower, struct task *root, uint32_t distinct);

/* Copy a wide node's lists to the local ones and renumber its rows. */
void lists_localise(struct grower *grower, struct task *task);

/* Make the table of entries of the node's rows anew when its quanta are too coarse for it. */
void lists_refine(struct grower *grower, struct task *task);

/* The best split of a node with lists; false when there is none. */
bool lists_search(struct grower *grower, const struct task *task, struct split *split);

/* Make the children's tasks and intervals.  A child that is not `kept`, or is a leaf or small, gets
 * no features' lists. */
void lists_divide(struct grower *grower, const struct task *task, const struct split *split,
		  enum keep keep, struct task *left, struct task *right);

/* ---- small.c ---- */

/* Grow the subtree of a small node, appending its nodes; `first` is the tree's first.  -ENOMEM. */
int small_tree(struct grower *grower, const struct task *task, struct node_list *nodes,
	       size_t first);

/* The prediction of the subtree for `row`. */
double small_path(struct grower *grower, const struct task *task, uint32_t row);

/* ---- shared ---- */

static inline struct lists *task_lists(struct grower *grower, const struct task *task)
{
	return task->local ? &grower->local : &grower->wide;
}

/* The list's own number of the row at `place` of list f. */
static inline uint32_t lists_at(const struct lists *lists, uint32_t f, uint32_t place)
{
	const size_t at = f * lists->stride + place;

	return lists->wide ? ((const uint32_t *)lists->ids)[at]
			   : ((const uint16_t *)lists->ids)[at];
}

static inline uint32_t lists_global(const struct lists *lists, uint32_t id)
{
	return lists->global ? lists->global[id] : id;
}

/* Which of ties[n], n > 0, comes first in the node's order of features: `tried` as far as that is
 * known, or NULL. */
uint32_t ties_first(struct grower *grower, uint64_t node_key, uint32_t n, const uint32_t *tried);

/* Whether a node of m rows with targets from low to high is a leaf whatever its features are. */
bool is_leaf(const struct forest_options *options, uint32_t m, uint32_t depth, double low,
	     double high);
bool task_is_leaf(struct grower *grower, const struct task *task);

/* Append a node, and let the split before it know if it is its right child (`parent`, or
 * NODE_NONE).  A split's threshold is computed once the tree is complete, for many at a time:
 * until then its value is two ids. */
int add_leaf(struct node_list *nodes, size_t first, uint32_t parent, double value);
int add_split(struct node_list *nodes, size_t first, uint32_t parent, const struct split *split);

/* The threshold of a split, and whether the row goes left. */
double split_threshold(const struct forest_data *data, const struct split *split);
bool split_sends_left(const struct forest_data *data, const struct split *split, uint32_t row);

#endif
