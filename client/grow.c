#include "client/grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/forest.h"

struct growing {
	struct grown *grown;
	uint64_t next_chunk, end_chunk, last_tree;
	struct ipp_error *err;
};

int grown_init(struct grown *grown, const struct table *table, bool importance, bool model,
	       struct ipp_error *err)
{
	*grown = (struct grown){.table = table, .n = table->n, .p = table->p};
	grown->oob_sums = calloc(table->n, sizeof(*grown->oob_sums));
	grown->oob_counts = calloc(table->n, sizeof(*grown->oob_counts));
	if (importance)
		grown->importance = calloc(table->p, sizeof(*grown->importance));
	if (model)
		grown->parts = calloc(1, sizeof(struct forest *));
	if (grown->oob_sums && grown->oob_counts && (!importance || grown->importance) &&
	    (!model || grown->parts))
		return 0;
	grown_fini(grown);
	return ipp_fail(err, ENOMEM, "out of memory for sums over %zu rows", table->n);
}

void grown_fini(struct grown *grown)
{
	for (size_t i = 0; grown->parts && i < grown->n_parts; i++)
		forest_free(grown->parts[i]);
	free(grown->parts);
	free(grown->oob_sums);
	free(grown->oob_counts);
	free(grown->importance);
	timeline_fini(&grown->timeline);
	*grown = (struct grown){0};
}

/* ---- the map ---- */

static int next(void *owner, struct ipp_value *item)
{
	struct growing *growing = owner;

	if (growing->next_chunk == growing->end_chunk)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = (int64_t)growing->next_chunk++};
	return 1;
}

static void add(double *sums, const double *more, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sums[i] += more[i];
}

static int keep_part(struct grown *grown, const uint8_t *bytes, size_t n_bytes,
		     struct ipp_error *err)
{
	struct forest **room = realloc(grown->parts, (grown->n_parts + 1) * sizeof(*room));

	if (!room)
		return ipp_fail(err, ENOMEM, "out of memory for the forest's parts");
	grown->parts = room;
	return forest_read(&grown->parts[grown->n_parts], bytes, n_bytes, err) < 0
		       ? -EINVAL
		       : (grown->n_parts++, 0);
}

static int done(void *owner, const struct ipp_result *result)
{
	struct growing *growing = owner;
	struct grown *grown = growing->grown;
	const size_t n_sums = 2 * grown->n + (grown->importance ? grown->p : 0);
	const double *sums = result->value.data;

	if (result->outcome != IPP_OK || result->value.kind != IPP_ARRAY ||
	    result->value.bytes < n_sums * sizeof(double))
		return ipp_fail(growing->err, EIO, "growing trees failed: %s",
				result->error[0] ? result->error : "its result is not whole");
	add(grown->oob_sums, sums, grown->n);
	add(grown->oob_counts, sums + grown->n, grown->n);
	if (grown->importance)
		add(grown->importance, sums + 2 * grown->n, grown->p);
	grown->trees += GROW_CHUNK;
	if (grown->trees > growing->last_tree)
		grown->trees = growing->last_tree;
	if (timeline_add(&grown->timeline, grown->timeline.n, result) < 0)
		return ipp_fail(growing->err, ENOMEM, "out of memory");
	return grown->parts ? keep_part(grown, (const uint8_t *)(sums + n_sums),
					result->value.bytes - n_sums * sizeof(double), growing->err)
			    : 0;
}

int grow(struct ipp_client *client, const struct study *study, uint64_t last_tree,
	 struct grown *grown, struct ipp_error *err)
{
	struct growing growing = {.grown = grown,
				  .next_chunk = grown->trees / GROW_CHUNK,
				  .end_chunk = (last_tree + GROW_CHUNK - 1) / GROW_CHUNK,
				  .last_tree = last_tree,
				  .err = err};
	struct ipp_argument arguments[STUDY_ARGUMENTS + 4];
	const struct ipp_run run = {.function = "forest.so:fit",
				    .arguments = arguments,
				    .n_arguments = STUDY_ARGUMENTS + 4,
				    .next = next,
				    .done = done,
				    .owner = &growing};
	const struct study_progress progress = {&grown->timeline.n, growing.end_chunk};

	study_arguments(study, arguments);
	arguments[STUDY_ARGUMENTS] = study_argument("chunk", GROW_CHUNK);
	arguments[STUDY_ARGUMENTS + 1] = study_argument("oob", 1);
	arguments[STUDY_ARGUMENTS + 2] = study_argument("importance", grown->importance != NULL);
	arguments[STUDY_ARGUMENTS + 3] = study_argument("model", grown->parts != NULL);
	return study_run(study, grown->table, client, &run, growing.next_chunk, &progress, err);
}
