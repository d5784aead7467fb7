/* The same forest to the last bit: whatever the vector path, compiler and machine, and however the
 * rows and trees are cut into parts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/kernel.h"
#include "engine/forest/model.h"
#include "tests/unit/forest_tables.h"

static void assert_same_forests(const struct forest *a, const struct forest *b)
{
	assert_int_equal(a->n_trees, b->n_trees);
	assert_int_equal(a->nodes.n, b->nodes.n);
	assert_memory_equal(a->start, b->start, (a->n_trees + 1) * sizeof(*a->start));
	assert_memory_equal(a->nodes.nodes, b->nodes.nodes, a->nodes.n * sizeof(struct node));
}

/* ---- vector paths ---- */

static void every_vector_path_gives_the_same_bits(void **state)
{
	static const char *const names[] = {"avx2", "avx512"};
	struct forest_options options;
	unsigned compared = 0;

	(void)state;
	random_key = 1;
	random_count = 0;
	for (int round = 0; round < 40; round++) {
		struct table t = table_new(2 + pick(round % 8 ? 700 : 5000), 1 + pick(80),
					   round % 3 ? 0 : 1 + pick(50));
		struct forest *scalar;

		forest_options_init(&options);
		options.seed = (uint64_t)round;
		options.n_trees = 2;
		options.mtry = round % 2 ? 0 : 1 + pick((uint32_t)t.p);
		options.min_leaf = round % 5 ? 1 : 1 + pick(8);
		setenv("IPP_SIMD", "scalar", 1);
		scalar = fit(&t, &options);
		for (unsigned i = 0; i < 2; i++) {
			struct forest *vector;

			if (!kernel_named(names[i]))
				continue;
			setenv("IPP_SIMD", names[i], 1);
			vector = fit(&t, &options);
			assert_same_forests(scalar, vector);
			forest_free(vector);
			compared++;
		}
		forest_free(scalar);
		table_free(&t);
	}
	unsetenv("IPP_SIMD");
	if (compared == 0)
		skip();
}

/* 64-bit FNV-1a of all that a forest consists of. */
static uint64_t hash_of(const struct forest *forest)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < forest->nodes.n; i++) {
		uint64_t words[2];

		memcpy(words, &forest->nodes.nodes[i], sizeof(words));
		hash = (hash ^ words[0]) * 0x100000001b3u;
		hash = (hash ^ words[1]) * 0x100000001b3u;
	}
	return hash;
}

/* The numbers are those of gcc 12 and clang 14 at -O0, -O2 and -O3 on a Zen 4. */
static void forests_are_the_same_bits_for_every_compiler_and_machine(void **state)
{
	struct forest_options options;

	(void)state;
	random_key = 2;
	random_count = 0;
	for (int i = 0; i < 3; i++) {
		static const struct {
			size_t n, p;
			uint32_t levels, mtry, min_leaf;
			uint64_t hash;
		} cases[] = {
			{499, 50, 0, 0, 1, 0xc40c5ea156287525},
			{3000, 12, 40, 4, 3, 0xa8e9663002e2295b},
			{40000, 3, 0, 0, 5, 0x5572cf4146489b47},
		};
		struct table t = table_new(cases[i].n, cases[i].p, cases[i].levels);
		struct forest *forest;

		forest_options_init(&options);
		options.n_trees = 3;
		options.seed = 42;
		options.mtry = cases[i].mtry;
		options.min_leaf = cases[i].min_leaf;
		forest = fit(&t, &options);
		assert_int_equal(hash_of(forest), cases[i].hash);
		forest_free(forest);
		table_free(&t);
	}
}

static void an_unknown_vector_path_means_the_best_there_is(void **state)
{
	const struct kernel *best;

	(void)state;
	unsetenv("IPP_SIMD");
	best = kernel_choose();
	setenv("IPP_SIMD", "mmx", 1);
	assert_ptr_equal(kernel_choose(), best);
	setenv("IPP_SIMD", "scalar", 1);
	assert_string_equal(kernel_choose()->name, "scalar");
	unsetenv("IPP_SIMD");
}

/* ---- subsets and parts ---- */

static void trees_on_a_subset_are_those_of_a_data_set_of_that_subset(void **state)
{
	struct table t = table_new(900, 6, 40), kept = table_new(900, 6, 0);
	uint8_t train[900];
	struct forest_options options;
	struct forest_data *data;
	struct forest *a, *b;

	(void)state;
	kept.n = 0;
	for (size_t i = 0; i < t.n; i++) {
		train[i] = i % 3 != 0;
		if (!train[i])
			continue;
		memcpy(kept.x + kept.n * t.p, t.x + i * t.p, t.p * sizeof(*t.x));
		kept.y[kept.n++] = t.y[i];
	}
	forest_options_init(&options);
	options.n_trees = 5;
	data = prepare(&t);
	assert_int_equal(forest_fit(&a, data, &options, train, 0, 5, NULL), 0);
	b = fit(&kept, &options);
	assert_same_forests(a, b);
	forest_free(a);
	forest_free(b);
	forest_data_free(data);
	table_free(&t);
	table_free(&kept);
}

static void parts_join_to_the_forest_of_one_fit(void **state)
{
	static const uint32_t ends[] = {0, 3, 4, 10};
	struct table t = table_new(300, 9, 0);
	struct forest_options options;
	struct forest_data *const data = prepare(&t);
	struct forest *parts[3], *joined, *whole;
	struct ipp_error err;

	(void)state;
	forest_options_init(&options);
	options.n_trees = 10;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			forest_fit(&parts[i], data, &options, NULL, ends[i], ends[i + 1], NULL), 0);
	whole = fit(&t, &options);
	assert_int_equal(forest_join(&joined, (const struct forest *const *)parts, 3, NULL), 0);
	assert_same_forests(joined, whole);
	forest_free(joined);
	assert_true(forest_join(&joined, (const struct forest *const *)parts + 1, 0, &err) < 0);
	forest_free(parts[1]);
	parts[1] = parts[2];
	assert_true(forest_join(&joined, (const struct forest *const *)parts, 2, &err) < 0);
	assert_string_equal(err.text,
			    "forest: part 1 begins with tree 4 where tree 3 should follow");
	forest_free(parts[0]);
	forest_free(parts[2]);
	forest_free(whole);
	forest_data_free(data);
	table_free(&t);
}

static void columns_may_lie_in_memory_either_way(void **state)
{
	struct table t = table_new(200, 7, 0);
	struct forest_matrix x = forest_matrix(t.x, t.n, t.p);
	double *const turned = malloc(t.n * t.p * sizeof(*turned));
	double predictions[2][200];
	struct forest_options options;
	struct forest_data *data;
	struct forest *a, *b;

	(void)state;
	forest_options_init(&options);
	options.n_trees = 3;
	a = fit(&t, &options);
	assert_int_equal(forest_predict(a, &x, predictions[0], NULL), 0);
	for (size_t i = 0; i < t.n; i++) {
		for (size_t f = 0; f < t.p; f++)
			turned[f * t.n + i] = t.x[i * t.p + f];
	}
	x = (struct forest_matrix){turned, t.n, t.p, 1, t.n};
	assert_int_equal(forest_data_new(&data, &x, t.y, NULL), 0);
	assert_int_equal(forest_fit(&b, data, &options, NULL, 0, 3, NULL), 0);
	assert_same_forests(a, b);
	assert_int_equal(forest_predict(b, &x, predictions[1], NULL), 0);
	assert_memory_equal(predictions[0], predictions[1], sizeof(predictions[0]));
	forest_free(a);
	forest_free(b);
	forest_data_free(data);
	free(turned);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_path_gives_the_same_bits),
		cmocka_unit_test(forests_are_the_same_bits_for_every_compiler_and_machine),
		cmocka_unit_test(an_unknown_vector_path_means_the_best_there_is),
		cmocka_unit_test(trees_on_a_subset_are_those_of_a_data_set_of_that_subset),
		cmocka_unit_test(parts_join_to_the_forest_of_one_fit),
		cmocka_unit_test(columns_may_lie_in_memory_either_way),
	};

	return cmocka_run_group_tests_name("forest: bits", tests, NULL, NULL);
}
