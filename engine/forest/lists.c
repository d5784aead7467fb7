/* Nodes with lists: filling, scanning and dividing them. */
#include <math.h>
#include <string.h>

#include "engine/forest/grower.h"
#include "engine/forest/scan_lists.h"

static uint16_t *local_list(const struct lists *lists, uint32_t f)
{
	return (uint16_t *)lists->ids + f * lists->stride;
}

static uint32_t *wide_list(const struct lists *lists, uint32_t f)
{
	return (uint32_t *)lists->ids + f * lists->stride;
}

static unsigned bit_length(uint64_t value)
{
	return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

static void set_bit(uint64_t *bits, uint32_t id)
{
	bits[id >> 6] |= (uint64_t)1 << (id & 63);
}

static bool get_bit(const uint64_t *bits, uint32_t id)
{
	return (bits[id >> 6] >> (id & 63)) & 1;
}

static uint32_t filter_widening(uint32_t *dst, const uint16_t *src, uint32_t n,
				const uint64_t *bits)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t id = src[i];

		dst[kept] = id;
		kept += get_bit(bits, id);
	}
	return kept;
}

/* ---- filling ---- */

static bool needs_lists(struct grower *g, const struct task *task)
{
	return task->m > g->kernel->small_max && !task_is_leaf(g, task);
}

void lists_start(struct grower *g, struct task *root, uint32_t distinct)
{
	const struct forest_data *const data = g->data;
	const bool local = data->n <= g->kernel->local_max;
	struct lists *const lists = local ? &g->local : &g->wide;
	uint64_t weight = 0;
	uint32_t m = 0;

	*root = (struct task){.m = distinct, .parent = NODE_NONE, .local = local};
	if (lists->wide)
		memset(g->sides, 0, ((size_t)data->n + 63) / 64 * sizeof(*g->sides));
	for (uint32_t id = 0; id < data->n; id++) {
		if (g->weights[id] == 0)
			continue;
		weight += g->weights[id];
		if (lists->wide) {
			set_bit(g->sides, id);
			wide_list(lists, data->p)[m++] = id;
		} else {
			local_list(lists, data->p)[m++] = (uint16_t)id;
		}
	}
	root->weight = weight;
	if (!needs_lists(g, root))
		return;
	root->listed = true;
	if (local) {
		const struct spans from = {data->order, data->n, data->p, data->n};
		const struct spans to = {local_list(lists, 0), lists->stride, data->p, 0};

		lists->n_ids = data->n;
		g->kernel->mark(&g->marks, local_list(lists, data->p), m, data->n);
		g->kernel->filter(&to, &from, &g->marks);
		return;
	}
	for (uint32_t f = 0; f < data->p; f++) {
		const size_t from = (size_t)f * data->n;

		if (data->narrow_ids)
			filter_widening(wide_list(lists, f), (const uint16_t *)data->order + from,
					data->n, g->sides);
		else
			g->kernel->filter_wide(wide_list(lists, f),
					       (const uint32_t *)data->order + from, data->n,
					       g->sides);
	}
}

void lists_localise(struct grower *g, struct task *task)
{
	struct lists *const local = &g->local;
	const uint32_t p = g->data->p, m = task->m;
	const uint32_t *const targets = wide_list(&g->wide, p) + task->target_from;

	for (uint32_t i = 0; i < m; i++) {
		const uint32_t id = targets[i];

		g->local_of[id] = (uint16_t)i;
		local->global[i] = id;
		local->y[i] = g->data->y[id];
		local->weights[i] = g->weights[id];
		local_list(local, p)[i] = (uint16_t)i;
	}
	for (uint32_t f = 0; f < p; f++) {
		const uint32_t *const from = wide_list(&g->wide, f) + task->from;
		uint16_t *const to = local_list(local, f);

		for (uint32_t i = 0; i < m; i++)
			to[i] = g->local_of[from[i]];
	}
	local->n_ids = m;
	task->local = true;
	task->from = task->target_from = 0;
	task->quanta = 0; /* entries were the wide table's */
}

/* ---- the table of entries ---- */

/* Bits of a target in a table of this node, sign aside. */
static int target_bits(const struct lists *lists, const struct task *task, uint32_t p)
{
	uint32_t heaviest = 1;

	if (task->packed)
		return 30 - (int)bit_length(task->weight);
	for (uint32_t i = 0; i < task->m; i++) {
		const uint32_t w = lists->weights[lists_at(lists, p, task->target_from + i)];

		heaviest = w > heaviest ? w : heaviest;
	}
	return 30 - (int)bit_length(heaviest);
}

void lists_refine(struct grower *g, struct task *task)
{
	struct lists *const lists = task_lists(g, task);
	const uint32_t p = g->data->p;
	const uint32_t first = lists_at(lists, p, task->target_from);
	const uint32_t last = lists_at(lists, p, task->target_from + task->m - 1);
	const double middle = lists->y[first] / 2 + lists->y[last] / 2;
	const double half = lists->y[last] / 2 - lists->y[first] / 2;
	const bool packed = task->weight < PACKED_WEIGHT;
	/* about what a new table would have */
	const double finest = packed ? ldexp(1.0, 30 - (int)bit_length(task->weight)) : 0x1p24;

	if (task->quanta > 0 && task->packed == packed && half * task->quanta * 16 >= finest)
		return;
	task->packed = packed;
	task->largest = ldexp(1.0, target_bits(lists, task, p));
	task->quanta = fmin(task->largest / half, 0x1p1000);
	task->sum = 0;
	for (uint32_t i = 0; i < task->m; i++) {
		const uint32_t id = lists_at(lists, p, task->target_from + i);
		const int64_t w = lists->weights[id];
		/* half may round to a half of what it is, so t may be twice the largest */
		const int64_t t = llrint((lists->y[id] - middle) * task->quanta) * w;

		task->sum += t;
		lists->table[id] = t * ((int64_t)1 << 32) + w;
	}
}

/* ---- searching ---- */

static uint32_t rank_at(const struct grower *g, const struct lists *lists, uint32_t f,
			uint32_t place)
{
	return data_rank(g->data, lists_global(lists, lists_at(lists, f, place)), f);
}

static bool is_constant(const struct grower *g, const struct lists *lists, const struct task *task,
			uint32_t f)
{
	return g->data->tied[f] &&
	       rank_at(g, lists, f, task->from) == rank_at(g, lists, f, task->from + task->m - 1);
}

static void scan(struct grower *g, const struct lists *lists, const struct task *task, uint32_t f,
		 uint32_t first, uint32_t last)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < last; i += SUM_BLOCK) {
		const uint32_t n = last - i < SUM_BLOCK ? last - i : SUM_BLOCK;
		const uint32_t skip = i < first ? first - i : 0;

		sum = lists->wide ? sum_uint32_t(wide_list(lists, f) + task->from + i, n,
						 lists->table, sum, g->sums[0])
				  : sum_uint16_t(local_list(lists, f) + task->from + i, n,
						 lists->table, sum, g->sums[0]);
		if (skip < n)
			g->kernel->offer(&g->screen, f, g->sums[0] + skip, n - skip, NULL,
					 i + skip);
	}
}

/* The same when rows may have equal values: splits lie between groups of such rows. */
static void scan_tied(struct grower *g, const struct lists *lists, const struct task *task,
		      uint32_t f, uint32_t first, uint32_t last)
{
	uint32_t rank = rank_at(g, lists, f, task->from), n = 0;
	int64_t sum = 0;

	for (uint32_t i = 0; i < last; i++) {
		const uint32_t next = rank_at(g, lists, f, task->from + i + 1);

		sum += lists->table[lists_at(lists, f, task->from + i)];
		g->sums[0][n] = sum;
		g->group_ends[n] = i;
		n += rank != next && i >= first;
		rank = next;
		if (n == SUM_BLOCK || i + 1 == last) {
			g->kernel->offer(&g->screen, f, g->sums[0], n, g->group_ends, 0);
			n = 0;
		}
	}
}

static void scan_heavy(struct grower *g, const struct lists *lists, const struct task *task,
		       uint32_t f, uint32_t first, uint32_t last)
{
	const uint32_t *const list = wide_list(lists, f) + task->from;
	const double total = g->screen.weight, mean = g->screen.mean;
	const bool tied = g->data->tied[f];
	double bar = g->screen.bar;
	int64_t sum = 0, weight = 0;

	for (uint32_t i = 0; i < last; i++) {
		const int64_t entry = lists->table[list[i]];
		double d, w;

		sum += sum_target(entry);
		weight += sum_weight(entry);
		w = (double)weight;
		d = (double)sum - w * mean;
		if (d * d < bar * (w * (total - w)) || i < first)
			continue;
		if (tied && data_rank(g->data, list[i], f) == data_rank(g->data, list[i + 1], f))
			continue;
		screen_offer(&g->screen, f, i, sum, weight);
		bar = g->screen.bar * (1 - 0x1p-45);
	}
}

/* Scan features[n], or the first n when that is NULL. */
static void scan_all(struct grower *g, const struct lists *lists, const struct task *task,
		     const uint32_t *features, uint32_t n)
{
	const uint32_t first = g->options->min_leaf - 1;
	const uint32_t last = task->m - g->options->min_leaf;
	const bool at_once = !lists->wide && last <= SUM_BLOCK;

	if (at_once) {
		const struct scan job = {
			.spans = {local_list(lists, 0) + task->from, lists->stride, g->data->p,
				  task->m},
			.features = features,
			.n_features = n,
			.tied = g->data->tied,
			.first = first,
			.last = last,
			.table = lists->table,
			.sums = {g->sums[0], g->sums[1]},
		};

		g->kernel->scan(&g->screen, &job);
		if (!g->data->any_tied)
			return;
	}
	for (uint32_t j = 0; j < n; j++) {
		const uint32_t f = features ? features[j] : j;

		if (!task->packed)
			scan_heavy(g, lists, task, f, first, last);
		else if (g->data->tied[f])
			scan_tied(g, lists, task, f, first, last);
		else if (!at_once)
			scan(g, lists, task, f, first, last);
	}
}

/* For fewer features a table for glances does not pay. */
#define GLANCE_MIN 24

/* The same, but for those of a local node that a glance shows not to reach the bar. */
static void scan_features(struct grower *g, const struct lists *lists, const struct task *task,
			  const uint32_t *features, uint32_t n)
{
	const uint32_t first = g->options->min_leaf - 1;
	const uint32_t last = task->m - g->options->min_leaf;
	const uint32_t set_bar = 1 + (n - 1) % GLANCE_LISTS;

	if (lists->wide || n < GLANCE_MIN) {
		scan_all(g, lists, task, features, n);
		return;
	}
	scan_all(g, lists, task, features, set_bar);
	glance_begin(&g->glance, &g->screen, local_list(lists, g->data->p) + task->target_from,
		     task->m, lists->table);
	for (uint32_t j = set_bar; j < n; j += GLANCE_LISTS) {
		const uint16_t *at[GLANCE_LISTS];
		uint32_t four[GLANCE_LISTS], hit[GLANCE_LISTS], n_hits = 0;
		unsigned hits;

		for (uint32_t k = 0; k < GLANCE_LISTS; k++) {
			four[k] = features ? features[j + k] : j + k;
			at[k] = local_list(lists, four[k]) + task->from;
		}
		hits = g->kernel->glance(&g->glance, at, first, last);
		for (; hits; hits &= hits - 1)
			hit[n_hits++] = four[__builtin_ctz(hits)];
		if (n_hits == 0)
			continue;
		scan_all(g, lists, task, hit, n_hits);
		if (g->screen.bar > 1.1 * g->glance.bar)
			glance_set_bar(&g->glance, &g->screen);
	}
}

/* Draw the features to try into g->tried; returns how many. */
static uint32_t draw_features(struct grower *g, const struct lists *lists, const struct task *task)
{
	bool constant = true;
	uint32_t n = 0;

	feature_order_begin(&g->order, task->key);
	while (n < g->data->p && (n < g->mtry || constant)) {
		const uint32_t f = feature_order_next(&g->order);

		g->tried[n++] = f;
		constant = constant && is_constant(g, lists, task, f);
	}
	feature_order_end(&g->order);
	return n;
}

struct exact_search {
	struct exact_scale scale;
	exact_int total;
	struct exact_split best;
	uint32_t n_ties; /* features with the best split; 0: no split yet */
};

static void exact_begin(struct exact_search *search, const struct lists *lists,
			const struct task *task, uint32_t p)
{
	const double low = lists->y[lists_at(lists, p, task->target_from)];
	const double high = lists->y[lists_at(lists, p, task->target_from + task->m - 1)];

	search->scale = exact_scale_for(fmax(fabs(low), fabs(high)));
	search->total = 0;
	search->n_ties = 0;
	for (uint32_t i = 0; i < task->m; i++) {
		const uint32_t id = lists_at(lists, p, task->target_from + i);

		search->total += (exact_int)exact_target(&search->scale, lists->y[id]) *
				 lists->weights[id];
	}
}

/* Compare splits of one feature with the best: those of candidates[n], which are in order of place,
 * or all when candidates is NULL. */
static void exact_feature(struct grower *g, const struct lists *lists, const struct task *task,
			  struct exact_search *search, uint32_t f,
			  const struct candidate *candidates, unsigned n)
{
	const uint32_t first = g->options->min_leaf - 1;
	const uint32_t last = task->m - g->options->min_leaf;
	exact_int sum = 0;
	uint64_t weight = 0;

	for (uint32_t i = 0; i < last && (!candidates || n > 0); i++) {
		const uint32_t id = lists_at(lists, f, task->from + i);
		struct exact_split split;
		int order;

		sum += (exact_int)exact_target(&search->scale, lists->y[id]) * lists->weights[id];
		weight += lists->weights[id];
		if (candidates) {
			if (candidates->at != i)
				continue;
			candidates++;
			n--;
		} else if (i < first || rank_at(g, lists, f, task->from + i) ==
						rank_at(g, lists, f, task->from + i + 1)) {
			continue;
		}
		split = exact_split_of(sum, weight, search->total, task->weight);
		order = search->n_ties ? exact_compare(&split, &search->best) : 1;
		if (order < 0 || (order == 0 && g->ties[search->n_ties - 1].feature == f))
			continue;
		if (order > 0) {
			search->best = split;
			search->n_ties = 0;
		}
		g->ties[search->n_ties++] = (struct tie){f, i};
	}
}

/* The candidates that are exactly best, into g->ties in the order scanned; returns how many
 * features have one. */
static uint32_t settle(struct grower *g, const struct lists *lists, const struct task *task,
		       uint32_t n_tried)
{
	struct screen *const screen = &g->screen;
	struct exact_search search;

	if (screen->best < 0)
		return 0;
	screen_prune(screen);
	if (screen->n == 1 && !screen->overflow) {
		g->ties[0] = (struct tie){screen->candidates[0].feature, screen->candidates[0].at};
		return 1;
	}
	exact_begin(&search, lists, task, g->data->p);
	if (screen->overflow) {
		for (uint32_t j = 0; j < n_tried; j++)
			exact_feature(g, lists, task, &search,
				      g->mtry < g->data->p ? g->tried[j] : j, NULL, 0);
		return search.n_ties;
	}
	for (unsigned i = 0, j; i < screen->n; i = j) {
		for (j = i + 1; j < screen->n; j++) {
			if (screen->candidates[j].feature != screen->candidates[i].feature)
				break;
		}
		exact_feature(g, lists, task, &search, screen->candidates[i].feature,
			      screen->candidates + i, j - i);
	}
	return search.n_ties;
}

bool lists_search(struct grower *g, const struct task *task, struct split *split)
{
	const struct lists *const lists = task_lists(g, task);
	const bool some = g->mtry < g->data->p;
	uint32_t n_tried = g->data->p, n_ties, best = 0;

	screen_init(&g->screen, (double)task->weight, (double)task->sum / (double)task->weight,
		    2 * task->largest);
	if (some)
		n_tried = draw_features(g, lists, task);
	scan_features(g, lists, task, some ? g->tried : NULL, n_tried);
	n_ties = settle(g, lists, task, n_tried);
	if (n_ties == 0)
		return false;
	if (n_ties > 1)
		best = ties_first(g, task->key, n_ties, some ? g->tried : NULL);
	split->feature = g->ties[best].feature;
	split->n_left = g->ties[best].at + 1;
	split->below = lists_global(lists,
				    lists_at(lists, split->feature, task->from + g->ties[best].at));
	split->above = lists_global(
		lists, lists_at(lists, split->feature, task->from + g->ties[best].at + 1));
	return true;
}

/* ---- dividing ---- */

/* Mark, among the node's rows, those at places `from` to `to` of list f. */
static void mark(struct grower *g, const struct lists *lists, const struct task *task, uint32_t f,
		 uint32_t from, uint32_t to)
{
	if (!lists->wide) {
		g->kernel->mark(&g->marks, local_list(lists, f) + task->from + from, to - from,
				lists->n_ids);
		return;
	}
	for (uint32_t i = 0; i < task->m; i++) {
		const uint32_t id = wide_list(lists, f)[task->from + i];
		const uint64_t bit = (uint64_t)1 << (id & 63);

		if (i >= from && i < to)
			g->sides[id >> 6] |= bit;
		else
			g->sides[id >> 6] &= ~bit;
	}
}

/* Move the marked rows of n_lists lists, from list f on, to the front of m places. */
static void partition(struct grower *g, const struct lists *lists, uint32_t f, uint32_t n_lists,
		      uint32_t place, uint32_t m)
{
	if (!lists->wide) {
		const struct spans spans = {local_list(lists, f) + place, lists->stride, n_lists,
					    m};

		g->kernel->partition(&spans, &g->marks, g->room);
		return;
	}
	for (uint32_t i = f; i < f + n_lists; i++)
		g->kernel->partition_wide(wide_list(lists, i) + place, m, g->sides, g->wide_room);
}

/* Keep those alone, in all features' lists. */
static void filter(struct grower *g, const struct lists *lists, uint32_t place, uint32_t m)
{
	const uint32_t p = g->data->p;

	if (!lists->wide) {
		const struct spans spans = {local_list(lists, 0) + place, lists->stride, p, m};

		g->kernel->filter(&spans, &spans, &g->marks);
		return;
	}
	for (uint32_t f = 0; f < p; f++) {
		uint32_t *const list = wide_list(lists, f) + place;

		g->kernel->filter_wide(list, list, m, g->sides);
	}
}

/* What the children inherit. */
static void make_children(const struct lists *lists, const struct task *task,
			  const struct split *split, struct task *left, struct task *right)
{
	*left = *right = *task;
	left->key = rng_absorb(task->key, RNG_LEFT);
	right->key = rng_absorb(task->key, RNG_RIGHT);
	left->depth = right->depth = task->depth + 1;
	left->parent = right->parent = NODE_NONE;
	left->m = split->n_left;
	right->m = task->m - split->n_left;
	right->target_from += left->m;
	left->weight = 0;
	left->sum = 0;
	for (uint32_t i = 0; i < left->m; i++) {
		const int64_t entry = lists->table[lists_at(lists, split->feature, task->from + i)];

		left->weight += (uint64_t)sum_weight(entry);
		left->sum += sum_target(entry);
	}
	right->weight = task->weight - left->weight;
	right->sum = task->sum - left->sum;
}

void lists_divide(struct grower *g, const struct task *task, const struct split *split,
		  enum keep keep, struct task *left, struct task *right)
{
	struct lists *const lists = task_lists(g, task);
	const uint32_t p = g->data->p;

	make_children(lists, task, split, left, right);
	mark(g, lists, task, split->feature, 0, left->m);
	partition(g, lists, p, 1, task->target_from, task->m);
	left->listed = keep != KEEP_RIGHT && needs_lists(g, left);
	right->listed = keep != KEEP_LEFT && needs_lists(g, right);
	if (left->listed && right->listed) {
		right->from += left->m;
		partition(g, lists, 0, p, task->from, task->m);
		return;
	}
	if (right->listed)
		mark(g, lists, task, split->feature, left->m, task->m);
	if (left->listed || right->listed)
		filter(g, lists, task->from, task->m);
}
