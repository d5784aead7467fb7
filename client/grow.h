/* client/grow.h - trees grown all over the cluster by forest.so:fit, and what they add up to.
 *
 * A task grows GROW_CHUNK trees; sums are added in the order of the tasks, so that they do not
 * depend on the engines. */
#ifndef IPP_CLIENT_GROW_H
#define IPP_CLIENT_GROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/study.h"
#include "client/timeline.h"

struct forest;

#define GROW_CHUNK 4

struct grown {
	const struct table *table;
	size_t n, p;
	double *oob_sums;      /* n: predictions of the trees that left the row out */
	double *oob_counts;    /* n: how many those are */
	double *importance;    /* p; NULL: not asked for */
	struct forest **parts; /* in order of trees; NULL: not asked for */
	size_t n_parts;
	struct timeline timeline; /* of the tasks, by their number */
	uint64_t trees;		  /* grown so far */
};

/* Empty sums for this table (borrowed). 0 or -ENOMEM. */
int grown_init(struct grown *grown, const struct table *table, bool importance, bool model,
	       struct ipp_error *err);
void grown_fini(struct grown *grown);

/* Grow trees grown->trees .. last_tree-1 of the study's forest and add them up.  The data was
 * pushed. */
int grow(struct ipp_client *client, const struct study *study, uint64_t last_tree,
	 struct grown *grown, struct ipp_error *err);

#endif
