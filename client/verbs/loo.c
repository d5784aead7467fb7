#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/grow.h"
#include "client/loo_plot.h"
#include "client/loo_report.h"
#include "client/oob.h"
#include "client/output.h"
#include "client/ranges.h"
#include "client/study.h"
#include "client/verb.h"

#define HELD_OUT_DEFAULT 50

struct options {
	struct study study;
	const char *held_out, *out, *plot;
	bool json, oob;
};

struct loo {
	size_t *rows; /* held out, in this order */
	size_t n_rows, sent, n_done;
	double *predictions;
	struct timeline timeline;
	size_t oob_trees; /* estimator oob: how many it took */
	struct ipp_error *err;
};

/* ---- the map ---- */

static int next(void *owner, struct ipp_value *item)
{
	struct loo *loo = owner;

	if (loo->sent == loo->n_rows)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = (int64_t)loo->rows[loo->sent++]};
	return 1;
}

static int done(void *owner, const struct ipp_result *result)
{
	struct loo *loo = owner;

	if (result->outcome != IPP_OK || result->value.kind != IPP_REAL)
		return ipp_fail(loo->err, EIO, "ipp-run loo: row %zu: %s", loo->rows[result->index],
				result->error[0] ? result->error : "its prediction is no number");
	loo->predictions[result->index] = result->value.real;
	loo->n_done++;
	if (timeline_add(&loo->timeline, loo->rows[result->index], result) < 0)
		return ipp_fail(loo->err, ENOMEM, "ipp-run loo: out of memory");
	return 0;
}

static int run_map(struct ipp_client *client, const struct options *options,
		   const struct table *table, struct loo *loo, struct ipp_error *err)
{
	struct ipp_argument arguments[STUDY_ARGUMENTS];
	const struct ipp_run run = {.function = "forest.so:loo",
				    .arguments = arguments,
				    .n_arguments = STUDY_ARGUMENTS,
				    .next = next,
				    .done = done,
				    .owner = loo};
	const struct study_progress progress = {&loo->n_done, loo->n_rows};

	study_arguments(&options->study, arguments);
	return study_run(&options->study, table, client, &run, 0, &progress, err);
}

/* The other estimator: one forest for all rows. */
static int run_oob(struct ipp_client *client, const struct options *options,
		   const struct table *table, struct loo *loo, struct ipp_error *err)
{
	struct grown grown;
	int rc = grown_init(&grown, table, false, false, err);

	if (rc < 0)
		return rc;
	rc = oob_predict(client, &options->study, table, loo->rows, loo->n_rows, &grown,
			 loo->predictions, err);
	loo->oob_trees = grown.trees;
	loo->timeline = grown.timeline;
	grown.timeline = (struct timeline){0};
	grown_fini(&grown);
	return rc;
}

/* ---- before and after ---- */

static int choose_rows(const struct options *options, const struct table *table, struct loo *loo,
		       struct ipp_error *err)
{
	char first[32];

	snprintf(first, sizeof(first), "0:%zu",
		 table->n < HELD_OUT_DEFAULT ? table->n : HELD_OUT_DEFAULT);
	return ranges_parse(&loo->rows, &loo->n_rows, options->held_out ? options->held_out : first,
			    table->n, "--held-out", "row", err);
}

static int report(const struct options *options, const struct table *table, const struct loo *loo,
		  size_t n_engines, double seconds, struct ipp_error *err)
{
	double *truth = calloc(loo->n_rows, sizeof(*truth));
	const struct loo_report report = {.n = table->n,
					  .p = table->p,
					  .trees = options->study.trees,
					  .oob_trees = loo->oob_trees,
					  .oob_draws = oob_draws(&options->study, table->n),
					  .engines = n_engines,
					  .held_out = loo->n_rows,
					  .index = loo->rows,
					  .truth = truth,
					  .prediction = loo->predictions,
					  .seconds = seconds,
					  .task_seconds = loo->timeline.task_seconds};
	int rc;

	if (!truth)
		return ipp_fail(err, ENOMEM, "ipp-run loo: out of memory");
	for (size_t i = 0; i < loo->n_rows; i++)
		truth[i] = table->y[loo->rows[i]];
	rc = options->out ? loo_report_save(&report, options->out, err) : 0;
	if (rc == 0)
		rc = options->json ? loo_report_json(&report, stdout, err)
				   : loo_report_print(&report, stdout, err);
	if (rc == 0 && options->plot)
		rc = loo_plot_save(&report, &loo->timeline, options->plot, err);
	free(truth);
	return rc;
}

static int take_estimator(struct options *options, const char *name, struct ipp_error *err)
{
	options->oob = strcmp(name, "oob") == 0;
	if (options->oob || strcmp(name, "loo") == 0)
		return 0;
	return ipp_fail(err, EINVAL, "ipp-run loo: --estimator %.60s: give loo or oob", name);
}

static int take(void *owner, int c, const char *text, struct ipp_error *err)
{
	struct options *options = owner;

	if (c == 'e')
		return take_estimator(options, text, err);
	if (c == 'h')
		options->held_out = text;
	else if (c == 'o')
		options->out = text;
	else if (c == 'p')
		options->plot = text;
	else if (c == 'j')
		options->json = true;
	else
		options->study.full_trees = true;
	return 0;
}

static int parse(struct options *options, int argc, char **argv, struct ipp_error *err)
{
	static const struct option known[] = {
		STUDY_GETOPT,
		{"held-out", required_argument, NULL, 'h'},
		{"out", required_argument, NULL, 'o'},
		{"json", no_argument, NULL, 'j'},
		{"full-trees", no_argument, NULL, 'f'},
		{"estimator", required_argument, NULL, 'e'},
		{"plot", required_argument, NULL, 'p'},
		{0},
	};
	int rc = study_options(&options->study, "loo", argc, argv, "", known, take, options, err);

	if (rc == 0)
		rc = study_check(&options->study, err);
	if (rc == 0 && options->oob && options->study.full_trees)
		rc = ipp_fail(
			err, EINVAL,
			"ipp-run loo: --full-trees is for --estimator loo: the trees of oob are "
			"always whole");
	if (rc == 0 && options->out)
		rc = output_check(options->out, err);
	if (rc == 0 && options->plot)
		rc = loo_plot_check(options->plot, err);
	return rc;
}

static int loo(int argc, char **argv)
{
	struct options options = {0};
	struct ipp_client *client = NULL;
	struct table table = {0};
	struct ipp_error err;
	struct loo loo = {.err = &err};
	size_t n_engines = 0;
	double started;
	int rc;

	study_init(&options.study);
	rc = parse(&options, argc, argv, &err);
	if (rc == 0)
		rc = study_table(&options.study, &table, &err);
	if (rc == 0)
		rc = choose_rows(&options, &table, &loo, &err);
	if (rc == 0) {
		loo.predictions = calloc(loo.n_rows, sizeof(*loo.predictions));
		rc = loo.predictions ? 0 : ipp_fail(&err, ENOMEM, "ipp-run loo: out of memory");
	}
	if (rc == 0)
		rc = verb_connect(&client, (unsigned)options.study.engines, &err);
	if (rc == 0)
		rc = study_push(&table, client, &n_engines, &err);
	started = verb_seconds();
	if (rc == 0)
		rc = options.oob ? run_oob(client, &options, &table, &loo, &err)
				 : run_map(client, &options, &table, &loo, &err);
	if (rc == 0)
		rc = report(&options, &table, &loo, n_engines, verb_seconds() - started, &err);
	verb_disconnect(client);
	table_fini(&table);
	free(loo.rows);
	free(loo.predictions);
	timeline_fini(&loo.timeline);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_loo = {
	.name = "loo",
	.summary = "leave-one-out predictions of a random forest, the tutorial's benchmark",
	.usage =
		"usage: ipp-run loo [OPTION...]\n"
		"Fit a random forest without row i and predict row i, for each row held out, over "
		"all engines.\n" STUDY_USAGE
		"  --full-trees               grow whole trees, not the held-out row's path alone: the\n"
		"                             same predictions, more slowly\n"
		"  --estimator loo|oob        loo: a forest for each row (the default); oob: one forest, each row\n"
		"                             predicted by the trees that left it out: the same distribution\n"
		"Rows and output:\n"
		"  --held-out RANGE           0:50; such as 0:500, 0:500:5 or 3,7-9\n"
		"  --json                     one JSON object\n"
		"  --out FILE.csv             index, truth and prediction of each row\n"
		"  --plot FILE.svg|png        a picture: predictions, residuals, timeline "
		"(gnuplot)\n"
		"  --engines N                where there is no cluster: start N engines on this "
		"machine\n",
	.run = loo,
};
