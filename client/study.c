#include "client/study.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client/decimal.h"
#include "client/journal/journal.h"
#include "client/journal/journalled.h"
#include "client/plural.h"
#include "client/tutorial.h"

#define TUTORIAL_ROWS 500
#define TUTORIAL_FEATURES 50
#define TICK_MS 500 /* of the journal, while no result comes */

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

static int take(struct study *study, int c, const char *text, struct ipp_error *err)
{
	const struct {
		const char *option;
		const char **text;
		uint64_t *number, low, high;
		double *fraction;
		bool *flag;
	} known[] = {
		{"--x", &study->x, NULL, 0, 0, NULL, NULL},
		{"--y", &study->y, NULL, 0, 0, NULL, NULL},
		{"--csv", &study->csv, NULL, 0, 0, NULL, NULL},
		{"--target", &study->target, NULL, 0, 0, NULL, NULL},
		{"--rows", NULL, &study->rows, 2, 1u << 27, NULL, NULL},
		{"--trees", NULL, &study->trees, 1, 1u << 24, NULL, NULL},
		{"--mtry", NULL, &study->mtry, 1, 1u << 24, NULL, NULL},
		{"--min-leaf", NULL, &study->min_leaf, 1, 1u << 27, NULL, NULL},
		{"--min-split", NULL, &study->min_split, 2, 1u << 27, NULL, NULL},
		{"--max-depth", NULL, &study->max_depth, 1, 1u << 27, NULL, NULL},
		{"--seed", NULL, &study->seed, 0, INT64_MAX, NULL, NULL},
		{"--engines", NULL, &study->engines, 1, 4096, NULL, NULL},
		{"--fraction", NULL, NULL, 0, 0, &study->fraction, NULL},
		{"--no-replace", NULL, NULL, 0, 0, NULL, &study->no_replace},
		{"--journal", &study->journal, NULL, 0, 0, NULL, NULL},
		{"--resume", NULL, NULL, 0, 0, NULL, &study->resume},
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
		*known[i].flag = true;
	return 0;
}

int study_options(struct study *study, const char *verb, int argc, char **argv, const char *shorts,
		  const struct option *known, study_take_fn *take_other, void *owner,
		  struct ipp_error *err)
{
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, shorts, known, NULL)) != -1) {
		if (c >= STUDY_FIRST && c <= STUDY_LAST)
			rc = take(study, c, optarg, err);
		else if (c == '?')
			rc = verb_unknown_option(verb, argc, argv, known, err);
		else
			rc = take_other(owner, c, optarg, err);
	}
	if (rc == 0 && optind < argc)
		rc = ipp_fail(err, EINVAL, "ipp-run %s: what is '%.100s'? see ipp-run %s --help",
			      verb, argv[optind], verb);
	return rc;
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
	if (study->resume && !study->journal)
		return ipp_fail(err, EINVAL, "--resume needs the --journal FILE to go on from");
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

static struct ipp_value array(const double *data, const uint64_t *shape, size_t n_dims)
{
	struct ipp_value value = {.kind = IPP_ARRAY,
				  .dtype = "<f8",
				  .shape = shape,
				  .n_dims = n_dims,
				  .data = data,
				  .bytes = sizeof(double)};

	for (size_t i = 0; i < n_dims; i++)
		value.bytes *= shape[i];
	return value;
}

/* The data as the variables that engines have it in (borrows table and shape). */
#define STUDY_DATA 2
static void study_data(const struct table *table, uint64_t shape[2],
		       struct ipp_argument out[STUDY_DATA])
{
	shape[0] = table->n;
	shape[1] = table->p;
	out[0] = (struct ipp_argument){.name = "forest.X", .value = array(table->x, shape, 2)};
	out[1] = (struct ipp_argument){.name = "forest.Y", .value = array(table->y, shape, 1)};
}

int study_push(const struct table *table, struct ipp_client *client, size_t *n_engines,
	       struct ipp_error *err)
{
	struct ipp_argument data[STUDY_DATA];
	uint64_t shape[2];
	uint32_t *targets = NULL;
	int rc = verb_targets(client, NULL, &targets, n_engines, err);

	study_data(table, shape, data);
	for (size_t i = 0; rc == 0 && i < STUDY_DATA; i++)
		rc = ipp_push(client, targets, *n_engines, data[i].name, &data[i].value, err);
	free(targets);
	return rc;
}

/* ---- what engines are told ---- */

struct ipp_argument study_argument(const char *name, uint64_t integer)
{
	return (struct ipp_argument){.name = name,
				     .value = {.kind = IPP_INTEGER, .integer = (int64_t)integer}};
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
	out[8] = (struct ipp_argument){.name = "fraction",
				       .value = {.kind = IPP_REAL, .real = study->fraction}};
}

/* ---- running ---- */

static int open_journal(const struct study *study, const struct table *table,
			const struct ipp_run *run, bool resume, struct journal **out,
			struct ipp_error *err)
{
	struct ipp_argument data[STUDY_DATA];
	struct identity identity;
	uint64_t shape[2];
	int rc;

	study_data(table, shape, data);
	rc = identity_init(&identity, run, data, STUDY_DATA, err);
	return rc < 0 ? rc : journal_open(out, study->journal, resume, &identity, err);
}

static int run_to_end(struct journalled *journalled, struct ipp_client *client,
		      struct ipp_error *err)
{
	struct ipp_request *request = NULL;
	int rc = ipp_submit(client, &journalled->run, &request, err);

	if (rc == 0) {
		do
			rc = journalled_wait(journalled, request, TICK_MS, err);
		while (rc == -ETIMEDOUT);
	}
	ipp_request_free(request); /* which cancels it after an interruption */
	return rc;
}

int study_run(const struct study *study, const struct table *table, struct ipp_client *client,
	      const struct ipp_run *run, uint64_t first, const struct study_progress *progress,
	      struct ipp_error *err)
{
	struct journal *journal = NULL;
	struct journalled journalled;
	struct ipp_error why, not_closed;
	int closed, rc = 0;

	if (study->journal)
		rc = open_journal(study, table, run, study->resume || first > 0, &journal, err);
	if (rc < 0)
		return rc;
	verb_drainable(client);
	journalled_init(&journalled, run, journal, first);
	rc = run_to_end(&journalled, client, &why);
	rc = journalled_verdict(&journalled, rc, &why);
	if (rc == -ETIME || (rc == -EINTR && journal))
		verb_tell_left(&why, study->journal,
			       journal ? journal_count(journal) : *progress->n_done,
			       progress->total);
	journalled_fini(&journalled);
	closed = journal_close(journal, &not_closed);
	if (rc == 0 && closed < 0) {
		*err = not_closed;
		return closed;
	}
	/* When done() stopped it, it has said why. */
	if (rc < 0 && rc != -ECANCELED)
		*err = why;
	return rc;
}
