#include "client/study.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "client/tutorial.h"

#define TUTORIAL_ROWS 500
#define TUTORIAL_FEATURES 50

void study_init(struct study *study)
{
	*study = (struct study){.rows = TUTORIAL_ROWS, .trees = 100, .min_leaf = 1, .min_split = 2};
}

int study_take(struct study *study, int c, const char *text, struct ipp_error *err)
{
	const struct {
		const char *option;
		const char **text;
		uint64_t *number, low, high;
	} known[] = {
		{"--x", &study->x, NULL, 0, 0},
		{"--y", &study->y, NULL, 0, 0},
		{"--csv", &study->csv, NULL, 0, 0},
		{"--target", &study->target, NULL, 0, 0},
		{"--rows", NULL, &study->rows, 2, 1u << 27},
		{"--trees", NULL, &study->trees, 1, 1u << 24},
		{"--mtry", NULL, &study->mtry, 1, 1u << 24},
		{"--min-leaf", NULL, &study->min_leaf, 1, 1u << 27},
		{"--min-split", NULL, &study->min_split, 2, 1u << 27},
		{"--max-depth", NULL, &study->max_depth, 1, 1u << 27},
		{"--seed", NULL, &study->seed, 0, INT64_MAX},
		{"--engines", NULL, &study->engines, 1, 4096},
	};
	const int i = c - STUDY_FIRST;

	if (known[i].text)
		*known[i].text = text;
	else
		return verb_number(known[i].option, text, known[i].low, known[i].high,
				   known[i].number, err);
	return 0;
}

int study_check(const struct study *study, struct ipp_error *err)
{
	if (!study->x != !study->y)
		return ipp_fail(
			err, EINVAL,
			"ipp-run: --x and --y go together: give the features and the target");
	if (!study->csv != !study->target)
		return ipp_fail(err, EINVAL,
				"ipp-run: --csv and --target go together: give a file and which of "
				"its columns to predict");
	if (study->csv && study->x)
		return ipp_fail(err, EINVAL,
				"ipp-run: the data comes from --csv or from --x and --y: leave one "
				"out");
	return 0;
}

int study_table(const struct study *study, struct table *table, struct ipp_error *err)
{
	int rc;

	if (study->csv)
		rc = table_from_csv(table, study->csv, study->target, err);
	else if (study->x)
		rc = table_from_npy(table, study->x, study->y, err);
	else
		rc = tutorial_table(table, study->rows, TUTORIAL_FEATURES, err);
	if (rc < 0)
		return rc;
	if (table->n < 2)
		return ipp_fail(
			err, EINVAL,
			"ipp-run: the data has a single row: nothing is left to fit to when "
			"it is held out; give more rows");
	if (study->mtry > table->p)
		return ipp_fail(err, EINVAL,
				"ipp-run: --mtry %llu is more than the data's %zu features: give "
				"at most that many",
				(unsigned long long)study->mtry, table->p);
	return 0;
}

static int push(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		const char *name, const double *data, const uint64_t *shape, size_t n_dims,
		struct ipp_error *err)
{
	struct ipp_value value = {.kind = IPP_ARRAY,
				  .dtype = "<f8",
				  .shape = shape,
				  .n_dims = n_dims,
				  .data = data,
				  .bytes = sizeof(double)};

	for (size_t i = 0; i < n_dims; i++)
		value.bytes *= shape[i];
	return ipp_push(client, targets, n_targets, name, &value, err);
}

int study_push(const struct table *table, struct ipp_client *client, size_t *n_engines,
	       struct ipp_error *err)
{
	const uint64_t shape[2] = {table->n, table->p};
	uint32_t *targets;
	int rc = verb_targets(client, NULL, &targets, n_engines, err);

	if (rc < 0)
		return rc;
	rc = push(client, targets, *n_engines, "forest.X", table->x, shape, 2, err);
	if (rc == 0)
		rc = push(client, targets, *n_engines, "forest.Y", table->y, shape, 1, err);
	free(targets);
	return rc;
}

struct ipp_argument study_argument(const char *name, uint64_t integer)
{
	return (struct ipp_argument){name, {.kind = IPP_INTEGER, .integer = (int64_t)integer}};
}

void study_arguments(const struct study *study, struct ipp_argument out[STUDY_ARGUMENTS])
{
	out[0] = study_argument("trees", study->trees);
	out[1] = study_argument("mtry", study->mtry);
	out[2] = study_argument("min_leaf", study->min_leaf);
	out[3] = study_argument("min_split", study->min_split);
	out[4] = study_argument("max_depth", study->max_depth);
	out[5] = study_argument("seed", study->seed);
	out[6] = study_argument("full_trees", study->full_trees);
}
