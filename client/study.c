#include "client/study.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client/decimal.h"
#include "client/plural.h"
#include "client/tutorial.h"

#define TUTORIAL_ROWS 500
#define TUTORIAL_FEATURES 50

void study_init(struct study *study)
{
	*study = (struct study){
		.rows = TUTORIAL_ROWS, .trees = 100, .min_leaf = 1, .min_split = 2, .fraction = 1};
}

/* ---- options ---- */

static int take_fraction(const char *text, double *out, struct ipp_error *err)
{
	if (decimal_parse(text, text + strlen(text), out) == 0 && *out > 0 && *out <= 1)
		return 0;
	return ipp_fail(err, EINVAL, "--fraction %.60s: give a number above 0 and not above 1",
			text);
}

int study_take(struct study *study, int c, const char *text, struct ipp_error *err)
{
	const struct {
		const char *option;
		const char **text;
		uint64_t *number, low, high;
		double *fraction;
	} known[] = {
		{"--x", &study->x, NULL, 0, 0, NULL},
		{"--y", &study->y, NULL, 0, 0, NULL},
		{"--csv", &study->csv, NULL, 0, 0, NULL},
		{"--target", &study->target, NULL, 0, 0, NULL},
		{"--rows", NULL, &study->rows, 2, 1u << 27, NULL},
		{"--trees", NULL, &study->trees, 1, 1u << 24, NULL},
		{"--mtry", NULL, &study->mtry, 1, 1u << 24, NULL},
		{"--min-leaf", NULL, &study->min_leaf, 1, 1u << 27, NULL},
		{"--min-split", NULL, &study->min_split, 2, 1u << 27, NULL},
		{"--max-depth", NULL, &study->max_depth, 1, 1u << 27, NULL},
		{"--seed", NULL, &study->seed, 0, INT64_MAX, NULL},
		{"--engines", NULL, &study->engines, 1, 4096, NULL},
		{"--fraction", NULL, NULL, 0, 0, &study->fraction},
		{"--no-replace", NULL, NULL, 0, 0, NULL},
	};
	const int i = c - STUDY_FIRST;

	study->given |= 1u << i;
	if (known[i].text)
		*known[i].text = text;
	else if (known[i].number)
		return verb_number(known[i].option, text, known[i].low, known[i].high,
				   known[i].number, err);
	else if (known[i].fraction)
		return take_fraction(text, known[i].fraction, err);
	else
		study->no_replace = true;
	return 0;
}

/* The name of an option that was given, if it is one of [first, last]; else NULL. */
static const char *given(const struct study *study, int first, int last)
{
	static const struct option options[] = {STUDY_GETOPT};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].val >= first && options[i].val <= last &&
		    study->given >> (options[i].val - STUDY_FIRST) & 1)
			return options[i].name;
	return NULL;
}

int study_check(const struct study *study, struct ipp_error *err)
{
	if (!study->x != !study->y)
		return ipp_fail(err, EINVAL,
				"--x and --y go together: give the features and the target");
	if (!study->csv != !study->target)
		return ipp_fail(err, EINVAL,
				"--csv and --target go together: give a file and which of "
				"its columns to predict");
	if (study->csv && study->x)
		return ipp_fail(err, EINVAL,
				"the data comes from --csv or from --x and --y: leave one "
				"out");
	if ((study->csv || study->x) && given(study, STUDY_ROWS, STUDY_ROWS))
		return ipp_fail(err, EINVAL,
				"--rows is the size of the tutorial's data: leave it out, the "
				"rows are those of the files");
	return 0;
}

int study_check_predict(const struct study *study, struct ipp_error *err)
{
	const char *of_fit = given(study, STUDY_ROWS, STUDY_SEED);

	if (!of_fit)
		of_fit = given(study, STUDY_FRACTION, STUDY_LAST);
	if (of_fit)
		return ipp_fail(err, EINVAL,
				"--%s is an option of fit and changes no fitted "
				"model: leave it out",
				of_fit);
	if (study->csv && (study->x || study->y))
		return ipp_fail(err, EINVAL,
				"the rows come from --csv or from --x: "
				"leave one out");
	if (study->target && !study->csv)
		return ipp_fail(err, EINVAL,
				"--target is a column of --csv FILE: give "
				"the file, or --y for the target of --x");
	if (!study->csv && !study->x)
		return ipp_fail(err, EINVAL,
				"give the rows to predict by --csv or "
				"--x");
	return 0;
}

/* ---- data ---- */

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
		return ipp_fail(err, EINVAL,
				"the data has a single row: nothing is left to fit to when "
				"it is held out; give more rows");
	if (study->mtry > table->p)
		return ipp_fail(err, EINVAL,
				"--mtry %llu is more than the data's %zu feature%s: give at most "
				"that many",
				(unsigned long long)study->mtry, table->p, plural(table->p));
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

/* ---- what engines are told ---- */

struct ipp_argument study_argument(const char *name, uint64_t integer)
{
	return (struct ipp_argument){.name = name, .value = {.kind = IPP_INTEGER, .integer = (int64_t)integer}};
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
	out[7] = study_argument("no_replace", study->no_replace);
	out[8] = (struct ipp_argument){.name = "fraction", .value = {.kind = IPP_REAL, .real = study->fraction}};
}
