/* Glances at lists against the decreases of all their splits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/forest/glance.h"
#include "engine/forest/rng.h"

static uint64_t random_key, random_count;

static uint32_t pick(uint32_t n)
{
	return rng_below(random_key, random_count++, n);
}

/* A node with its lists. */
struct fixture {
	unsigned m;
	int64_t table[LOCAL_MAX], sum, weight;
	uint16_t targets[LOCAL_MAX]; /* ids in order of target */
	uint16_t lists[GLANCE_LISTS][LOCAL_MAX];
	struct screen screen;
	struct glance glance;
};

static int ascending(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Targets of any distribution from even (0) to a few that outweigh the others. */
static void make_node(struct fixture *node, unsigned m, unsigned outlying)
{
	int64_t t[LOCAL_MAX];

	node->m = m;
	node->sum = node->weight = 0;
	for (unsigned i = 0; i < m; i++) {
		double value = (pick(1u << 30) - 0x1p29) * 0x1p-29;

		for (unsigned j = 0; j < outlying; j++)
			value = value * value * value;
		t[i] = llrint(value * 0x1p15);
	}
	qsort(t, m, sizeof(*t), ascending);
	for (unsigned i = 0; i < m; i++) {
		const int64_t w = 1 + pick(4) * pick(2);

		node->targets[i] = (uint16_t)(i * (LOCAL_MAX / m));
		node->table[node->targets[i]] = t[i] * w * ((int64_t)1 << 32) + w;
		node->sum += t[i] * w;
		node->weight += w;
	}
	for (unsigned l = 0; l < GLANCE_LISTS; l++) {
		uint16_t *const list = node->lists[l];

		/* from the order of targets (no moves) to none */
		memcpy(list, node->targets, m * sizeof(*list));
		for (unsigned moves = l * l * m / 9; moves > 0; moves--) {
			const unsigned a = pick(m), b = pick(m);
			const uint16_t id = list[a];

			list[a] = list[b];
			list[b] = id;
		}
	}
	screen_init(&node->screen, (double)node->weight, (double)node->sum / (double)node->weight,
		    0x1p16);
}

/* The largest decrease of a list's splits after places first to last - 1. */
static double best_of(struct fixture *node, unsigned l, unsigned first, unsigned last, bool offer)
{
	int64_t sum = 0, weight = 0;
	double best = 0;

	for (unsigned i = 0; i < last; i++) {
		const int64_t entry = node->table[node->lists[l][i]];
		double d, w, gain;

		sum += sum_target(entry);
		weight += sum_weight(entry);
		if (i < first)
			continue;
		w = (double)weight;
		d = (double)sum - w * node->screen.mean;
		gain = d * d / (w * (node->screen.weight - w));
		best = gain > best ? gain : best;
		if (offer)
			screen_offer(&node->screen, l, i, sum, weight);
	}
	return best;
}

static void a_glance_passes_every_list_that_reaches_the_bar_and_few_others(void **state)
{
	static const char *const names[] = {"scalar", "avx2", "avx512"};
	static struct fixture node; /* the table of a glance starts as zeros */
	unsigned reaching = 0, others = 0, others_passed = 0;

	(void)state;
	random_key = 1;
	random_count = 0;
	for (unsigned round = 0; round < 4000; round++) {
		const unsigned m = 3 + pick(round % 10 ? 200 : LOCAL_MAX - 2);
		const unsigned min_leaf = 1 + pick(2) * pick(m / 2);
		const unsigned first = min_leaf - 1, last = m - min_leaf;
		const uint16_t *lists[GLANCE_LISTS];
		double best[GLANCE_LISTS];

		make_node(&node, m, round % 3);
		best_of(&node, pick(GLANCE_LISTS), first, last, true);
		glance_begin(&node.glance, &node.screen, node.targets, m, node.table);
		for (unsigned l = 0; l < GLANCE_LISTS; l++) {
			lists[l] = node.lists[l];
			best[l] = best_of(&node, l, first, last, false);
		}
		for (unsigned k = 0; k < 3; k++) {
			const struct kernel *const kernel = kernel_named(names[k]);
			const unsigned hits = kernel ? kernel->glance(&node.glance, lists, first,
								      last)
						     : 0;

			for (unsigned l = 0; kernel && l < GLANCE_LISTS; l++) {
				if (best[l] >= node.screen.bar) {
					assert_true(hits >> l & 1);
					reaching++;
				} else if (best[l] < 0.8 * node.screen.bar) {
					others++;
					others_passed += hits >> l & 1;
				}
			}
		}
	}
	assert_true(reaching > 4000);
	assert_true(others > 4000);
	assert_in_range(others_passed, 0, others / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_glance_passes_every_list_that_reaches_the_bar_and_few_others),
	};

	return cmocka_run_group_tests_name("forest: glances", tests, NULL, NULL);
}
