/* A forest as bytes, and back.  Little-endian:
 *
 *   0   magic "IPPF", version u32
 *   8   columns u32, trees of the whole forest u32, first tree u32, trees here u32
 *   24  mtry u32, min_leaf u32, min_split u32, max_depth u32
 *   40  with replacement u64, fraction f64, seed u64
 *   64  nodes u64
 *   72  for each tree: its number of nodes u64
 *   ..  for each node: value f64, feature u32, right u32 (tree.h) */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/model.h"
#include "proto/error.h"

#define MAGIC 0x46505049u /* "IPPF" */
#define VERSION 1
#define HEADER_BYTES 72
#define NODE_BYTES 16

static uint8_t *put_u32(uint8_t *out, uint32_t value)
{
	value = htole32(value);
	memcpy(out, &value, sizeof(value));
	return out + sizeof(value);
}

static uint8_t *put_u64(uint8_t *out, uint64_t value)
{
	value = htole64(value);
	memcpy(out, &value, sizeof(value));
	return out + sizeof(value);
}

static uint8_t *put_f64(uint8_t *out, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return put_u64(out, bits);
}

static uint32_t get_u32(const uint8_t **in)
{
	uint32_t value;

	memcpy(&value, *in, sizeof(value));
	*in += sizeof(value);
	return le32toh(value);
}

static uint64_t get_u64(const uint8_t **in)
{
	uint64_t value;

	memcpy(&value, *in, sizeof(value));
	*in += sizeof(value);
	return le64toh(value);
}

static double get_f64(const uint8_t **in)
{
	const uint64_t bits = get_u64(in);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

size_t forest_bytes(const struct forest *forest)
{
	return HEADER_BYTES + 8 * (size_t)forest->n_trees + NODE_BYTES * forest->nodes.n;
}

void forest_write(const struct forest *forest, uint8_t *out)
{
	const struct forest_options *options = &forest->options;

	out = put_u32(out, MAGIC);
	out = put_u32(out, VERSION);
	out = put_u32(out, forest->n_features);
	out = put_u32(out, options->n_trees);
	out = put_u32(out, forest->first_tree);
	out = put_u32(out, forest->n_trees);
	out = put_u32(out, options->mtry);
	out = put_u32(out, options->min_leaf);
	out = put_u32(out, options->min_split);
	out = put_u32(out, options->max_depth);
	out = put_u64(out, options->replace);
	out = put_f64(out, options->fraction);
	out = put_u64(out, options->seed);
	out = put_u64(out, forest->nodes.n);
	for (uint32_t t = 0; t < forest->n_trees; t++)
		out = put_u64(out, forest->start[t + 1] - forest->start[t]);
	for (size_t i = 0; i < forest->nodes.n; i++) {
		out = put_f64(out, forest->nodes.nodes[i].value);
		out = put_u32(out, forest->nodes.nodes[i].feature);
		out = put_u32(out, forest->nodes.nodes[i].right);
	}
}

/* Read the header after its magic and version. */
static struct forest *read_header(const uint8_t **in, uint64_t *n_nodes)
{
	struct forest_options options;
	uint32_t n_features, first_tree, n_trees;

	forest_options_init(&options);
	n_features = get_u32(in);
	options.n_trees = get_u32(in);
	first_tree = get_u32(in);
	n_trees = get_u32(in);
	options.mtry = get_u32(in);
	options.min_leaf = get_u32(in);
	options.min_split = get_u32(in);
	options.max_depth = get_u32(in);
	options.replace = get_u64(in) != 0;
	options.fraction = get_f64(in);
	options.seed = get_u64(in);
	*n_nodes = get_u64(in);
	if (n_features == 0 || n_trees == 0 || n_trees > options.n_trees ||
	    first_tree > options.n_trees - n_trees || options.n_trees > FOREST_MAX_TREES)
		return NULL;
	return forest_alloc(&options, n_features, first_tree, n_trees);
}

/* Prediction follows left children to the next node and right ones forward, so it ends if no
 * index leads outside the tree and the last node is a leaf. */
static bool tree_is_sound(const struct node *nodes, uint64_t n, uint32_t n_features)
{
	for (uint64_t i = 0; i < n; i++)
		if (nodes[i].feature != NODE_LEAF &&
		    (nodes[i].feature >= n_features || nodes[i].right <= i + 1 ||
		     nodes[i].right >= n))
			return false;
	return n > 0;
}

static bool read_trees(struct forest *forest, const uint8_t *in, uint64_t n_nodes)
{
	for (uint32_t t = 0; t < forest->n_trees; t++) {
		const uint64_t n = get_u64(&in);

		if (n > n_nodes - forest->start[t])
			return false;
		forest->start[t + 1] = forest->start[t] + n;
	}
	if (forest->start[forest->n_trees] != n_nodes)
		return false;
	for (size_t i = 0; i < n_nodes; i++) {
		struct node *node = &forest->nodes.nodes[i];

		node->value = get_f64(&in);
		node->feature = get_u32(&in);
		node->right = get_u32(&in);
	}
	forest->nodes.n = n_nodes;
	for (uint32_t t = 0; t < forest->n_trees; t++)
		if (!tree_is_sound(forest_tree(forest, t), forest->start[t + 1] - forest->start[t],
				   forest->n_features))
			return false;
	return true;
}

static int damaged(struct ipp_error *err)
{
	return ipp_fail(err, EINVAL, "forest: the model is cut or damaged: fit it again");
}

int forest_read(struct forest **gives, const void *bytes, size_t n_bytes, struct ipp_error *err)
{
	const uint8_t *in = bytes;
	struct forest *forest;
	uint64_t n_nodes;
	uint32_t version;

	*gives = NULL;
	if (n_bytes < HEADER_BYTES || get_u32(&in) != MAGIC)
		return ipp_fail(err, EINVAL, "forest: this is not a model of slurm-ipp");
	version = get_u32(&in);
	if (version != VERSION)
		return ipp_fail(
			err, EINVAL,
			"forest: the model is of version %u, this program reads version %u: "
			"fit it again",
			version, VERSION);
	forest = read_header(&in, &n_nodes);
	if (!forest)
		return damaged(err);
	n_bytes -= HEADER_BYTES;
	if (n_bytes / 8 < forest->n_trees ||
	    (n_bytes - 8 * (size_t)forest->n_trees) / NODE_BYTES != n_nodes ||
	    (n_bytes - 8 * (size_t)forest->n_trees) % NODE_BYTES != 0) {
		forest_free(forest);
		return damaged(err);
	}
	forest->nodes.nodes = malloc((size_t)n_nodes * sizeof(struct node) + 1);
	forest->nodes.room = n_nodes;
	if (!forest->nodes.nodes) {
		forest_free(forest);
		return ipp_fail(err, ENOMEM, "forest: no memory for %llu nodes",
				(unsigned long long)n_nodes);
	}
	if (!read_trees(forest, in, n_nodes)) {
		forest_free(forest);
		return damaged(err);
	}
	*gives = forest;
	return 0;
}
