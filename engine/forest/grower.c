#include "engine/forest/grower.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/rng.h"

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int init_wide(struct grower *g, const struct forest_data *data)
{
	struct lists *const wide = &g->wide;

	wide->wide = true;
	wide->stride = data->n;
	wide->y = data->y;
	wide->weights = g->weights;
	wide->ids = malloc(((size_t)data->p + 1) * data->n * sizeof(uint32_t));
	wide->table = malloc(data->n * sizeof(*wide->table));
	g->wide_room = malloc(data->n * sizeof(*g->wide_room));
	g->local_of = malloc(data->n * sizeof(*g->local_of));
	g->local.global = malloc(LOCAL_MAX * sizeof(*g->local.global));
	g->local.y = malloc(LOCAL_MAX * sizeof(*g->local.y));
	g->local.weights = malloc(LOCAL_MAX * sizeof(*g->local.weights));
	if (!wide->ids || !wide->table || !g->wide_room || !g->local_of || !g->local.global ||
	    !g->local.y || !g->local.weights)
		return -ENOMEM;
	return 0;
}

int grower_init(struct grower *g, const struct forest_data *data,
		const struct forest_options *options, const struct kernel *kernel)
{
	const size_t p = data->p;

	*g = (struct grower){.data = data, .options = options, .kernel = kernel};
	g->mtry = options->mtry ? options->mtry : data->p;
	g->weights = malloc(data->n * sizeof(*g->weights));
	g->sides = calloc(((size_t)data->n + 63) / 64, sizeof(*g->sides));
	/* an odd number of cache lines: else the same few sets of the cache hold all lists of a
	 * small node */
	g->local.stride = (at_most(data->n, LOCAL_MAX) + LIST_SLACK - 1) / LIST_SLACK * LIST_SLACK;
	g->local.stride |= LIST_SLACK;
	g->local.ids = malloc(((p + 1) * g->local.stride + 2 * LIST_SLACK) * sizeof(uint16_t));
	g->local.table = malloc(LOCAL_MAX * sizeof(*g->local.table));
	g->ties = malloc(p * sizeof(*g->ties));
	g->is_tied = calloc(p, 1);
	g->hits = malloc((p + LANE_SLACK + 63) / 64 * sizeof(*g->hits));
	g->gains = malloc((p + LANE_SLACK) * sizeof(*g->gains));
	g->keys = malloc(sorted_key(data->p + LANE_SLACK) * sizeof(*g->keys));
	g->stack_room = 64;
	g->stack = malloc(g->stack_room * sizeof(*g->stack));
	if (!g->weights || !g->sides || !g->local.ids || !g->local.table || !g->ties ||
	    !g->is_tied || !g->hits || !g->gains || !g->keys || !g->stack)
		return -ENOMEM;
	if (feature_order_init(&g->order, data->p) < 0)
		return -ENOMEM;
	if (g->mtry < data->p) {
		g->tried = malloc(p * sizeof(*g->tried));
		g->packed_ranks = calloc(SMALL_MAX * (p + LANE_SLACK), data->narrow_ranks ? 2 : 4);
		if (!g->tried || !g->packed_ranks)
			return -ENOMEM;
	}
	if (data->n > kernel->local_max)
		return init_wide(g, data);
	g->local.y = data->y;
	g->local.weights = g->weights;
	return 0;
}

void grower_fini(struct grower *g)
{
	if (g->data->n > g->kernel->local_max) {
		free(g->wide.ids);
		free(g->wide.table);
		free(g->wide_room);
		free(g->local_of);
		free(g->local.global);
		free(g->local.y);
		free(g->local.weights);
	}
	free(g->weights);
	free(g->sides);
	free(g->local.ids);
	free(g->local.table);
	free(g->ties);
	free(g->is_tied);
	free(g->hits);
	free(g->gains);
	free(g->keys);
	free(g->stack);
	free(g->tried);
	free(g->packed_ranks);
	feature_order_fini(&g->order);
}

uint32_t ties_first(struct grower *g, uint64_t node_key, uint32_t n, const uint32_t *tried)
{
	uint32_t feature, first = 0;

	for (uint32_t i = 0; i < n; i++)
		g->is_tied[g->ties[i].feature] = 1;
	feature_order_begin(&g->order, node_key);
	do {
		feature = tried ? *tried++ : feature_order_next(&g->order);
	} while (!g->is_tied[feature]);
	feature_order_end(&g->order);
	for (uint32_t i = 0; i < n; i++) {
		g->is_tied[g->ties[i].feature] = 0;
		if (g->ties[i].feature == feature)
			first = i;
	}
	return first;
}

/* ---- leaves ---- */

bool is_leaf(const struct forest_options *o, uint32_t m, uint32_t depth, double low, double high)
{
	return low == high || m < o->min_split || m / 2 < o->min_leaf ||
	       (o->max_depth && depth >= o->max_depth);
}

static double target_at(struct grower *g, const struct task *task, uint32_t i)
{
	const struct lists *const lists = task_lists(g, task);

	return lists->y[lists_at(lists, g->data->p, task->target_from + i)];
}

bool task_is_leaf(struct grower *g, const struct task *task)
{
	return is_leaf(g->options, task->m, task->depth, target_at(g, task, 0),
		       target_at(g, task, task->m - 1));
}

static double leaf_value(struct grower *g, const struct task *task)
{
	const struct lists *const lists = task_lists(g, task);
	const double low = target_at(g, task, 0), high = target_at(g, task, task->m - 1);
	struct exact_scale scale;
	exact_int sum = 0;

	if (low == high)
		return low;
	scale = exact_scale_for(fmax(fabs(low), fabs(high)));
	for (uint32_t i = 0; i < task->m; i++) {
		const uint32_t id = lists_at(lists, g->data->p, task->target_from + i);

		sum += (exact_int)exact_target(&scale, lists->y[id]) * lists->weights[id];
	}
	return exact_mean(&scale, sum, task->weight);
}

/* ---- splits ---- */

/* Halfway, and such that below <= threshold < above. */
static double threshold_between(double below, double above)
{
	const double middle = below / 2 + above / 2;

	return middle >= below && middle < above ? middle : below;
}

double split_threshold(const struct forest_data *data, const struct split *split)
{
	return threshold_between(data_value(data, data->row_of[split->below], split->feature),
				 data_value(data, data->row_of[split->above], split->feature));
}

bool split_sends_left(const struct forest_data *data, const struct split *split, uint32_t row)
{
	return data_value(data, row, split->feature) <= split_threshold(data, split);
}

static int add_node(struct node_list *nodes, size_t first, uint32_t parent, struct node node)
{
	if (parent != NODE_NONE)
		nodes->nodes[first + parent].right = (uint32_t)(nodes->n - first);
	return node_list_add(nodes, node);
}

int add_leaf(struct node_list *nodes, size_t first, uint32_t parent, double value)
{
	return add_node(nodes, first, parent, (struct node){value, NODE_LEAF, NODE_NONE});
}

int add_split(struct node_list *nodes, size_t first, uint32_t parent, const struct split *split)
{
	const uint32_t ids[2] = {split->below, split->above};
	struct node node = {0, split->feature, NODE_NONE};

	memcpy(&node.value, ids, sizeof(node.value));
	return add_node(nodes, first, parent, node);
}

static void set_thresholds(const struct forest_data *data, struct node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct split split = {.feature = nodes[i].feature};
		uint32_t ids[2];

		if (split.feature == NODE_LEAF)
			continue;
		memcpy(ids, &nodes[i].value, sizeof(ids));
		split.below = ids[0];
		split.above = ids[1];
		nodes[i].value = split_threshold(data, &split);
	}
}

/* ---- trees ---- */

/* Find how to split a node that is not small; false when it is a leaf. */
static bool search(struct grower *g, struct task *task, struct split *split)
{
	if (task_is_leaf(g, task))
		return false;
	if (!task->local && task->m <= g->kernel->local_max && task->weight < PACKED_WEIGHT)
		lists_localise(g, task);
	lists_refine(g, task);
	return lists_search(g, task, split);
}

static void start(struct grower *g, struct sample *sample, uint64_t tree_key, struct task *root)
{
	const uint32_t distinct = sample_draw(sample, tree_key, g->data->n, g->weights);

	lists_start(g, root, distinct);
	root->key = rng_absorb(tree_key, RNG_ROOT);
}

static int push(struct grower *g, const struct task *task)
{
	if (g->n_stack == g->stack_room) {
		const size_t room = 2 * g->stack_room + 1;
		struct task *stack = realloc(g->stack, room * sizeof(*stack));

		if (!stack)
			return -ENOMEM;
		g->stack = stack;
		g->stack_room = room;
	}
	g->stack[g->n_stack++] = *task;
	return 0;
}

int grower_tree(struct grower *g, struct sample *sample, uint64_t tree_key, struct node_list *nodes)
{
	const size_t first = nodes->n;
	struct task task, left, right;
	struct split split;
	int rc;

	start(g, sample, tree_key, &task);
	g->n_stack = 0;
	rc = push(g, &task);
	while (rc == 0 && g->n_stack > 0) {
		task = g->stack[--g->n_stack];
		if (task.m <= g->kernel->small_max) {
			rc = small_tree(g, &task, nodes, first);
			continue;
		}
		if (!search(g, &task, &split)) {
			rc = add_leaf(nodes, first, task.parent, leaf_value(g, &task));
			continue;
		}
		lists_divide(g, &task, &split, KEEP_BOTH, &left, &right);
		right.parent = (uint32_t)(nodes->n - first);
		rc = add_split(nodes, first, task.parent, &split);
		if (rc == 0)
			rc = push(g, &right);
		if (rc == 0)
			rc = push(g, &left);
	}
	if (rc == 0)
		set_thresholds(g->data, nodes->nodes + first, nodes->n - first);
	return rc;
}

double grower_path(struct grower *g, struct sample *sample, uint64_t tree_key, uint32_t row)
{
	struct task task, left, right;
	struct split split;

	start(g, sample, tree_key, &task);
	while (task.m > g->kernel->small_max) {
		bool goes_left;

		if (!search(g, &task, &split))
			return leaf_value(g, &task);
		goes_left = split_sends_left(g->data, &split, row);
		lists_divide(g, &task, &split, goes_left ? KEEP_LEFT : KEEP_RIGHT, &left, &right);
		task = goes_left ? left : right;
	}
	return small_path(g, &task, row);
}
