/* Small nodes: so few rows that ranks are sorted on the spot, for many features at once, and that a
 * set of rows fits a word.
 *
 * No split of any feature decreases the error more than the best split of the targets in their own
 * order, and one that does as well must be that very partition.  So first see which features
 * separate the rows as that split does: in nodes of up to five rows or so some mostly does. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/forest/grower.h"

/* A node of the subtree: an interval of its rows, which are in order of target. */
struct twig {
	uint64_t key;
	uint32_t from, m;
	uint32_t depth;
	uint32_t parent;
};

struct twig_search {
	struct grower *g;
	uint64_t key;
	const struct small_row *row;
	struct small_rows rows; /* row, or copies with the ranks of features tried alone */
	unsigned m;
	double weight, mean; /* sum of weights, mean of t */
	double t[SMALL_MAX]; /* targets scaled to a span from -1 to 1 */
	double slack; /* the square roots of a decrease in t and of the exact one differ by less */
	bool exact_ready;
	uint64_t exact_weight;
	exact_int q[SMALL_MAX]; /* exact targets times weights */
	exact_int q_total;
};

/* The bits of rows 0 to m - 1, m > 0. */
static uint32_t first_rows(unsigned m)
{
	return UINT32_MAX >> (32 - m);
}

static uint32_t rank_of(const struct grower *g, const struct small_row *row, uint32_t f)
{
	return g->data->narrow_ranks ? (uint32_t)((const int16_t *)row->ranks)[f]
				     : (uint32_t)((const int32_t *)row->ranks)[f];
}

/* ---- exact comparison, when doubles cannot tell ---- */

static void exact_begin(struct twig_search *s)
{
	const double low = s->row[0].y, high = s->row[s->m - 1].y;
	const struct exact_scale scale = exact_scale_for(fmax(fabs(low), fabs(high)));

	if (s->exact_ready)
		return;
	s->exact_ready = true;
	s->exact_weight = 0;
	s->q_total = 0;
	for (unsigned i = 0; i < s->m; i++) {
		s->q[i] = (exact_int)exact_target(&scale, s->row[i].y) * s->row[i].weight;
		s->q_total += s->q[i];
		s->exact_weight += s->row[i].weight;
	}
}

static struct exact_split exact_split_at(const struct twig_search *s, uint32_t left)
{
	exact_int sum = 0;
	uint64_t weight = 0;

	for (; left; left &= left - 1) {
		const int i = __builtin_ctz(left);

		sum += s->q[i];
		weight += s->row[i].weight;
	}
	return exact_split_of(sum, weight, s->q_total, s->exact_weight);
}

/* ---- the best of all partitions ---- */

static void scale_targets(struct twig_search *s)
{
	const double low = s->row[0].y, high = s->row[s->m - 1].y;
	const double middle = low / 2 + high / 2;
	const double half = high / 2 - low / 2;
	const double scale = half > 1 / DBL_MAX ? 1 / half : DBL_MAX;
	double weight = 0, total = 0;

	for (unsigned i = 0; i < s->m; i++) {
		s->t[i] = (s->row[i].y - middle) * scale;
		weight += s->row[i].weight;
		total += s->row[i].weight * s->t[i];
	}
	s->weight = weight;
	s->mean = total / weight;
	/* a sum is off by m * W * 2^-52 or so, and is divided by sqrt(W - 1) at least */
	s->slack = 0x1p-46 * sqrt(weight);
}

/* How many of the lowest targets the best of all partitions has on one side; 0 when it may
 * not be the only best, or has too few rows on a side. */
static unsigned best_of_targets(const struct twig_search *s)
{
	const unsigned min_leaf = s->g->options->min_leaf;
	double sum = 0, weight = 0, best = 0, second = 0;
	unsigned at = 0;

	for (unsigned i = 0; i + 1 < s->m; i++) {
		double gain, less, d;

		sum += s->row[i].weight * s->t[i];
		weight += s->row[i].weight;
		if (s->row[i].y == s->row[i + 1].y)
			continue;
		d = sum - weight * s->mean;
		gain = d * d / (weight * (s->weight - weight));
		/* no branches: they would be taken at random */
		less = gain < best ? gain : best;
		second = less > second ? less : second;
		at = gain > best ? i + 1 : at;
		best = gain > best ? gain : best;
	}
	/* splitting off one of the ends has gain >= 1 / W, so slack is relatively W * 2^-46 */
	if (!(best * (1 - 0x1p-42 * s->weight) > second))
		return 0;
	return at >= min_leaf && s->m - at >= min_leaf ? at : 0;
}

/* ---- features ---- */

static bool is_constant(const struct twig_search *s, uint32_t f)
{
	for (unsigned i = 1; i < s->m; i++) {
		if (rank_of(s->g, &s->row[i], f) != rank_of(s->g, &s->row[0], f))
			return false;
	}
	return true;
}

/* Draw the features to try, and copy their ranks side by side into packed[m]. */
static void pack_tried(struct twig_search *s, struct small_row *packed)
{
	struct grower *const g = s->g;
	const uint32_t p = g->data->p;
	const size_t rank_bytes = g->data->narrow_ranks ? sizeof(int16_t) : sizeof(int32_t);
	bool constant = true;
	uint32_t n = 0;

	feature_order_begin(&g->order, s->key);
	while (n < p && (n < g->mtry || constant)) {
		const uint32_t f = feature_order_next(&g->order);

		g->tried[n++] = f;
		constant = constant && is_constant(s, f);
	}
	feature_order_end(&g->order);
	for (unsigned i = 0; i < s->m; i++) {
		char *const to = (char *)g->packed_ranks + i * (p + LANE_SLACK) * rank_bytes;

		packed[i] = s->row[i];
		packed[i].ranks = to;
		for (uint32_t j = 0; j < n; j++) {
			if (g->data->narrow_ranks)
				((int16_t *)to)[j] =
					((const int16_t *)s->row[i].ranks)[g->tried[j]];
			else
				((int32_t *)to)[j] =
					((const int32_t *)s->row[i].ranks)[g->tried[j]];
		}
	}
	s->rows.row = packed;
	s->rows.n_features = n;
}

/* The first feature in the node's order that is a hit, as its place among those tried. */
static bool first_hit(const struct twig_search *s, uint32_t *feature)
{
	struct grower *const g = s->g;
	uint64_t any = 0;

	for (uint32_t i = 0; i < (s->rows.n_features + 63) / 64; i++) {
		any |= g->hits[i];
		if (g->hits[i] && g->mtry < g->data->p) {
			*feature = i * 64 + (uint32_t)__builtin_ctzll(g->hits[i]);
			return true;
		}
	}
	if (!any)
		return false;
	feature_order_begin(&g->order, s->key);
	do {
		*feature = feature_order_next(&g->order);
	} while (!(g->hits[*feature / 64] >> (*feature % 64) & 1));
	feature_order_end(&g->order);
	return true;
}

/* Fill in the split that has the rows of `left` (bits) on the left of the j-th feature tried. */
static void set_split(const struct twig_search *s, uint32_t j, uint32_t left, struct split *split)
{
	uint64_t below = 0, above = UINT64_MAX; /* rank and place */

	for (unsigned i = 0; i < s->m; i++) {
		const uint64_t key = (uint64_t)rank_of(s->g, &s->rows.row[i], j) << ROW_BITS | i;

		if (left >> i & 1)
			below = key > below ? key : below;
		else
			above = key < above ? key : above;
	}
	split->feature = s->g->mtry < s->g->data->p ? s->g->tried[j] : j;
	split->n_left = (uint32_t)__builtin_popcount(left);
	split->below = s->row[below & (SMALL_MAX - 1)].id;
	split->above = s->row[above & (SMALL_MAX - 1)].id;
}

/* ---- the search of all ---- */

struct twig_best {
	uint32_t partition;		 /* the side that has the node's first row */
	double surely_less, surely_more; /* than the best gain */
	struct exact_split exact;
	bool exact_known;
	uint32_t n_ties;
};

/* Is the partition better than (1), as good as (0), worse than (-1) the best so far? */
static int weigh(struct twig_search *s, struct twig_best *best, uint32_t partition, double gain)
{
	struct exact_split split;

	if (best->n_ties == 0 || gain > best->surely_more)
		return 1;
	if (gain < best->surely_less)
		return -1;
	if (partition == best->partition)
		return 0;
	exact_begin(s);
	if (!best->exact_known) {
		best->exact = exact_split_at(s, best->partition);
		best->exact_known = true;
	}
	split = exact_split_at(s, partition);
	return exact_compare(&split, &best->exact);
}

static struct twig_best new_best(const struct twig_search *s, uint32_t partition, double gain)
{
	const double root = sqrt(gain), low = root - 2 * s->slack, high = root + 2 * s->slack;

	return (struct twig_best){
		.partition = partition,
		.surely_less = low > 0 ? low * low : 0.0,
		.surely_more = high * high,
	};
}

/* Hold the splits of the j-th feature tried against the best. */
static void weigh_feature(struct twig_search *s, struct twig_best *best, uint32_t j)
{
	struct grower *const g = s->g;
	const unsigned m = s->m, min_leaf = g->options->min_leaf;
	const int32_t *const keys = g->keys + sorted_key(j);
	double sum = 0, weight = 0;
	uint32_t left = 0;

	for (unsigned i = 0; i + min_leaf < m; i++) {
		const int32_t key = keys[i * KEY_LANES], next = keys[(i + 1) * KEY_LANES];
		const unsigned k = key & (SMALL_MAX - 1);
		uint32_t partition;
		double d, gain;
		int order;

		sum += s->row[k].weight * s->t[k];
		weight += s->row[k].weight;
		left |= 1u << k;
		if (i + 1 < min_leaf || key >> ROW_BITS == next >> ROW_BITS)
			continue;
		d = sum - weight * s->mean;
		gain = d * d / (weight * (s->weight - weight));
		partition = left & 1 ? left : ~left & first_rows(m);
		order = weigh(s, best, partition, gain);
		if (order < 0 || (order == 0 && g->ties[best->n_ties - 1].feature == j))
			continue;
		if (order > 0)
			*best = new_best(s, partition, gain);
		g->ties[best->n_ties++] = (struct tie){j, left};
	}
}

static bool search_all(struct twig_search *s, struct split *split, uint32_t *left)
{
	struct grower *const g = s->g;
	struct twig_best best = {.n_ties = 0};
	uint32_t first = 0;
	float bar = -1.0f;
	double root;

	s->rows.weight = (float)s->weight;
	for (unsigned i = 0; i < SMALL_MAX; i++) {
		s->rows.weights[i] = i < s->m ? (float)s->row[i].weight : 0.0f;
		s->rows.targets[i] = i < s->m ? (float)(s->t[i] - s->mean) : 0.0f;
	}
	g->kernel->gains(&s->rows, g->gains, g->keys);
	for (uint32_t j = 0; j < s->rows.n_features; j++)
		bar = g->gains[j] > bar ? g->gains[j] : bar;
	if (bar < 0)
		return false;
	/* targets, their sum and each of m additions round by 2^-24 of at most 2 * W */
	root = sqrt(bar) * (1 - 0x1p-10) - 0x1p-16 * sqrt(s->weight);
	bar = root > 0 ? (float)(root * root * (1 - 0x1p-20)) : 0.0f;
	for (uint32_t j = 0; j < s->rows.n_features; j++) {
		if (g->gains[j] >= bar)
			weigh_feature(s, &best, j);
	}
	/* those tried are numbered in the node's order */
	if (best.n_ties > 1 && g->mtry == g->data->p)
		first = ties_first(g, s->key, best.n_ties, NULL);
	*left = g->ties[first].at;
	set_split(s, g->ties[first].feature, *left, split);
	return true;
}

/* Two rows: every feature that is not constant separates them. */
static bool search_pair(struct twig_search *s, struct split *split, uint32_t *left)
{
	struct grower *const g = s->g;
	uint32_t f, a, b, drawn = 0;

	feature_order_begin(&g->order, s->key);
	do {
		f = feature_order_next(&g->order);
		a = rank_of(g, &s->row[0], f);
		b = rank_of(g, &s->row[1], f);
		drawn++;
	} while (a == b && drawn < g->data->p);
	feature_order_end(&g->order);
	if (a == b)
		return false;
	*left = a < b ? 1 : 2;
	*split = (struct split){f, 1, s->row[a > b].id, s->row[a < b].id};
	return true;
}

/* Find the best split of rows that are not all of one target; `left` gets the rows that go left as
 * bits. */
static bool search(struct grower *g, const struct twig *twig, const struct small_row *rows,
		   struct split *split, uint32_t *left)
{
	struct small_row packed[SMALL_MAX];
	struct twig_search s; /* most of it is for the search of all alone */
	unsigned n_low;
	uint32_t j;

	s.g = g;
	s.key = twig->key;
	s.row = rows + twig->from;
	s.m = twig->m;
	s.exact_ready = false;
	if (s.m == 2)
		return search_pair(&s, split, left);
	scale_targets(&s);
	s.rows.row = s.row;
	s.rows.m = s.m;
	s.rows.narrow = g->data->narrow_ranks;
	s.rows.n_features = g->data->p;
	s.rows.min_leaf = g->options->min_leaf;
	if (g->mtry < g->data->p)
		pack_tried(&s, packed);
	n_low = best_of_targets(&s);
	if (n_low > 0) {
		g->kernel->separate(&s.rows, n_low, g->hits);
		if (first_hit(&s, &j)) {
			const uint32_t low = first_rows(n_low);

			*left = rank_of(g, &s.rows.row[0], j) < rank_of(g, &s.rows.row[n_low], j)
					? low
					: ~low & first_rows(s.m);
			set_split(&s, j, *left, split);
			return true;
		}
	}
	return search_all(&s, split, left);
}

/* ---- subtrees ---- */

static void load(struct grower *g, const struct task *task, struct small_row *rows)
{
	const struct forest_data *const data = g->data;
	const struct lists *const lists = task_lists(g, task);

	for (unsigned i = 0; i < task->m; i++) {
		const uint32_t id = lists_at(lists, data->p, task->target_from + i);
		const uint32_t global = lists_global(lists, id);
		const size_t at = (size_t)global * data->p;

		rows[i] = (struct small_row){
			.ranks = data->narrow_ranks
					 ? (const void *)((const int16_t *)data->ranks + at)
					 : (const void *)((const int32_t *)data->ranks + at),
			.y = lists->y[id],
			.id = global,
			.weight = lists->weights[id],
		};
	}
}

static double twig_value(const struct small_row *rows, uint32_t m)
{
	const double low = rows[0].y, high = rows[m - 1].y;
	struct exact_scale scale;
	exact_int sum = 0;
	uint64_t weight = 0;

	if (low == high)
		return low;
	scale = exact_scale_for(fmax(fabs(low), fabs(high)));
	for (uint32_t i = 0; i < m; i++) {
		sum += (exact_int)exact_target(&scale, rows[i].y) * rows[i].weight;
		weight += rows[i].weight;
	}
	return exact_mean(&scale, sum, weight);
}

static bool twig_is_leaf(const struct grower *g, const struct twig *twig,
			 const struct small_row *rows)
{
	return is_leaf(g->options, twig->m, twig->depth, rows[twig->from].y,
		       rows[twig->from + twig->m - 1].y);
}

/* A single row needs no key. */
static uint64_t child_key(const struct twig *twig, enum rng_purpose side, uint32_t m)
{
	return m > 1 ? rng_absorb(twig->key, side) : 0;
}

/* Order the twig's rows by side, and make its children. */
static void divide(const struct twig *twig, struct small_row *rows, uint32_t left,
		   struct twig children[2])
{
	struct small_row right_rows[SMALL_MAX];
	struct small_row *const row = rows + twig->from;
	uint32_t n_left = 0, n_right = 0;

	for (uint32_t i = 0; i < twig->m; i++) {
		const uint32_t is_left = left >> i & 1;

		right_rows[n_right] = row[i];
		row[n_left] = row[i];
		n_left += is_left;
		n_right += 1 - is_left;
	}
	memcpy(row + n_left, right_rows, n_right * sizeof(*row));
	children[0] = (struct twig){child_key(twig, RNG_LEFT, n_left), twig->from, n_left,
				    twig->depth + 1, NODE_NONE};
	children[1] = (struct twig){child_key(twig, RNG_RIGHT, n_right), twig->from + n_left,
				    n_right, twig->depth + 1, NODE_NONE};
}

int small_tree(struct grower *g, const struct task *task, struct node_list *nodes, size_t first)
{
	struct twig stack[SMALL_MAX], children[2];
	struct small_row rows[SMALL_MAX];
	unsigned n = 0;
	int rc = 0;

	load(g, task, rows);
	stack[n++] = (struct twig){task->key, 0, task->m, task->depth, task->parent};
	while (rc == 0 && n > 0) {
		const struct twig twig = stack[--n];
		struct split split;
		uint32_t left, here;

		if (twig_is_leaf(g, &twig, rows) || !search(g, &twig, rows, &split, &left)) {
			rc = add_leaf(nodes, first, twig.parent,
				      twig_value(rows + twig.from, twig.m));
			continue;
		}
		here = (uint32_t)(nodes->n - first);
		rc = add_split(nodes, first, twig.parent, &split);
		if (twig.m == 2) {
			const struct small_row *const row = rows + twig.from;

			rc = rc ? rc : add_leaf(nodes, first, NODE_NONE, row[left == 2].y);
			rc = rc ? rc : add_leaf(nodes, first, here, row[left == 1].y);
			continue;
		}
		divide(&twig, rows, left, children);
		children[1].parent = here;
		stack[n++] = children[1];
		stack[n++] = children[0];
	}
	return rc;
}

double small_path(struct grower *g, const struct task *task, uint32_t row)
{
	struct twig twig = {task->key, 0, task->m, task->depth, NODE_NONE}, children[2];
	struct small_row rows[SMALL_MAX];
	struct split split;
	uint32_t left;

	load(g, task, rows);
	while (!twig_is_leaf(g, &twig, rows) && search(g, &twig, rows, &split, &left)) {
		divide(&twig, rows, left, children);
		twig = children[!split_sends_left(g->data, &split, row)];
	}
	return twig_value(rows + twig.from, twig.m);
}
