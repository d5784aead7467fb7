#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/loo_report.h"
#include "client/output.h"
#include "client/plural.h"
#include "client/study.h"

struct options {
	struct study study;
	uint64_t folds, repeats;
	const char *out;
	bool json;
};

struct cv {
	const struct table *table;
	const struct options *options;
	uint64_t sent;
	size_t n_done;
	double *predictions; /* repeats x n */
	double task_seconds;
	struct ipp_error *err;
};

/* ---- the map ---- */

static int next(void *owner, struct ipp_value *item)
{
	struct cv *cv = owner;

	if (cv->sent == cv->options->folds * cv->options->repeats)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = (int64_t)cv->sent++};
	return 1;
}

/* Pairs of row and prediction, for the rows of one fold. */
static int done(void *owner, const struct ipp_result *result)
{
	struct cv *cv = owner;
	const double *pairs = result->value.data;
	double *predictions = cv->predictions + result->index / cv->options->folds * cv->table->n;

	if (result->outcome != IPP_OK || result->value.kind != IPP_ARRAY)
		return ipp_fail(cv->err, EIO, "ipp-run cv: fold %llu: %s",
				(unsigned long long)result->index,
				result->error[0] ? result->error : "its result is no array");
	for (size_t k = 0; k + 1 < result->value.bytes / sizeof(double); k += 2)
		if (pairs[k] >= 0 && pairs[k] < (double)cv->table->n)
			predictions[(size_t)pairs[k]] = pairs[k + 1];
	cv->n_done++;
	cv->task_seconds += (double)result->elapsed_us * 1e-6;
	return 0;
}

static int run_map(struct ipp_client *client, struct cv *cv)
{
	struct ipp_argument arguments[STUDY_ARGUMENTS + 1];
	const struct ipp_run run = {.function = "forest.so:cross_validate",
				    .arguments = arguments,
				    .n_arguments = STUDY_ARGUMENTS + 1,
				    .next = next,
				    .done = done,
				    .owner = cv};
	const struct study_progress progress = {&cv->n_done,
						cv->options->folds * cv->options->repeats};

	study_arguments(&cv->options->study, arguments);
	arguments[STUDY_ARGUMENTS] = study_argument("folds", cv->options->folds);
	return study_run(&cv->options->study, cv->table, client, &run, 0, &progress, cv->err);
}

/* ---- the report ---- */

/* A repeat predicts each row once, as leave-one-out does: it is judged alike. */
static struct loo_report repeat_report(const struct cv *cv, const size_t *index, uint64_t repeat)
{
	const size_t n = cv->table->n;

	return (struct loo_report){.n = n,
				   .p = cv->table->p,
				   .trees = cv->options->study.trees,
				   .held_out = n,
				   .index = index,
				   .truth = cv->table->y,
				   .prediction = cv->predictions + repeat * n};
}

static void mean_and_deviation(const double *values, uint64_t n, double *mean, double *deviation)
{
	double sum = 0, squares = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += values[i];
	*mean = sum / (double)n;
	for (uint64_t i = 0; i < n; i++)
		squares += (values[i] - *mean) * (values[i] - *mean);
	*deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
}

/* JSON knows neither NaN nor infinity. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static int print_json(const struct cv *cv, const double *mse, const double *correlation,
		      size_t n_engines, double seconds, struct ipp_error *err)
{
	const struct options *options = cv->options;
	json_t *mses = json_array(), *correlations = json_array();
	json_t *json;
	int rc = 0;

	for (uint64_t r = 0; r < options->repeats; r++) {
		json_array_append_new(mses, number(mse[r]));
		json_array_append_new(correlations, number(correlation[r]));
	}
	json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:f, s:f}", "n",
			 (json_int_t)cv->table->n, "p", (json_int_t)cv->table->p, "trees",
			 (json_int_t)options->study.trees, "folds", (json_int_t)options->folds,
			 "repeats", (json_int_t)options->repeats, "engines", (json_int_t)n_engines,
			 "mse", mses, "correlation", correlations, "seconds", seconds,
			 "task_seconds", cv->task_seconds);
	if (!json)
		rc = ipp_fail(err, ENOMEM, "ipp-run cv: out of memory for the JSON");
	else if (json_dumpf(json, stdout, JSON_REAL_PRECISION(17)) == 0)
		putchar('\n');
	json_decref(json);
	return rc;
}

static void print_text(const struct cv *cv, const double *mse, const double *correlation,
		       size_t n_engines, double seconds)
{
	const struct options *options = cv->options;
	double mean, deviation;

	printf("Cross-validation of a random forest: %llu folds, ",
	       (unsigned long long)options->folds);
	if (options->repeats > 1)
		printf("%llu times, ", (unsigned long long)options->repeats);
	printf("%zu rows, %zu feature%s, %llu tree%s\n\n", cv->table->n, cv->table->p,
	       plural(cv->table->p), (unsigned long long)options->study.trees,
	       plural(options->study.trees));
	mean_and_deviation(mse, options->repeats, &mean, &deviation);
	printf("  mean squared error   %9.4f", mean);
	if (options->repeats > 1)
		printf("  +- %.4f between repeats", deviation);
	mean_and_deviation(correlation, options->repeats, &mean, &deviation);
	printf("\n  correlation          %9.4f", mean);
	if (options->repeats > 1)
		printf("  +- %.4f", deviation);
	printf("\n\n  elapsed              %9.3f s on %zu engine%s\n"
	       "  in tasks             %9.3f s\n",
	       seconds, n_engines, plural(n_engines), cv->task_seconds);
}

/* One line a row and repeat, whole or not at all. */
static int save(const struct cv *cv, struct ipp_error *err)
{
	const size_t n = cv->table->n;
	struct output output;
	int rc = output_open(&output, cv->options->out, err);

	if (rc < 0)
		return rc;
	fputs("repeat,index,truth,prediction\n", output.file);
	for (uint64_t r = 0; r < cv->options->repeats; r++)
		for (size_t i = 0; i < n; i++)
			fprintf(output.file, "%llu,%zu,%.17g,%.17g\n", (unsigned long long)r, i,
				cv->table->y[i], cv->predictions[r * n + i]);
	rc = output_commit(&output, err);
	output_fini(&output);
	return rc;
}

static int report(const struct cv *cv, size_t n_engines, double seconds, struct ipp_error *err)
{
	const uint64_t repeats = cv->options->repeats;
	size_t *index = calloc(cv->table->n, sizeof(*index));
	double *mse = calloc(repeats, sizeof(*mse));
	double *correlation = calloc(repeats, sizeof(*correlation));
	int rc = cv->options->out ? save(cv, err) : 0;

	if (!index || !mse || !correlation) {
		rc = ipp_fail(err, ENOMEM, "ipp-run cv: out of memory");
		goto out;
	}
	for (size_t i = 0; i < cv->table->n; i++)
		index[i] = i;
	for (uint64_t r = 0; r < repeats; r++) {
		const struct loo_report one = repeat_report(cv, index, r);

		mse[r] = loo_report_mse(&one);
		correlation[r] = loo_report_correlation(&one);
	}
	if (rc == 0 && cv->options->json)
		rc = print_json(cv, mse, correlation, n_engines, seconds, err);
	else if (rc == 0)
		print_text(cv, mse, correlation, n_engines, seconds);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", err);
out:
	free(index);
	free(mse);
	free(correlation);
	return rc;
}

/* ---- the verb ---- */

static int take(void *owner, int c, const char *text, struct ipp_error *err)
{
	struct options *options = owner;

	switch (c) {
	case 'f':
		return verb_number("--folds", text, 2, 1u << 27, &options->folds, err);
	case 'r':
		return verb_number("--repeats", text, 1, 1000000, &options->repeats, err);
	case 'o':
		options->out = text;
		return 0;
	default:
		options->json = true;
		return 0;
	}
}

static int parse(struct options *options, int argc, char **argv, struct ipp_error *err)
{
	static const struct option known[] = {
		STUDY_GETOPT,
		{"folds", required_argument, NULL, 'f'},
		{"repeats", required_argument, NULL, 'r'},
		{"out", required_argument, NULL, 'o'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	int rc = study_options(&options->study, "cv", argc, argv, "", known, take, options, err);

	if (rc == 0)
		rc = study_check(&options->study, err);
	if (rc == 0 && options->out)
		rc = output_check(options->out, err);
	return rc;
}

static int cross_validate(int argc, char **argv)
{
	struct options options = {.folds = 10, .repeats = 1};
	struct ipp_client *client = NULL;
	struct table table = {0};
	struct ipp_error err;
	struct cv cv = {.table = &table, .options = &options, .err = &err};
	size_t n_engines = 0;
	double started;
	int rc;

	study_init(&options.study);
	rc = parse(&options, argc, argv, &err);
	if (rc == 0)
		rc = study_table(&options.study, &table, &err);
	if (rc == 0 && options.folds > table.n)
		rc = ipp_fail(
			&err, EINVAL,
			"ipp-run cv: --folds %llu is more than the %zu rows: give at most that many",
			(unsigned long long)options.folds, table.n);
	if (rc == 0) {
		cv.predictions = calloc(options.repeats * table.n, sizeof(*cv.predictions));
		rc = cv.predictions ? 0 : ipp_fail(&err, ENOMEM, "ipp-run cv: out of memory");
	}
	if (rc == 0)
		rc = verb_connect(&client, (unsigned)options.study.engines, &err);
	if (rc == 0)
		rc = study_push(&table, client, &n_engines, &err);
	started = verb_seconds();
	if (rc == 0)
		rc = run_map(client, &cv);
	if (rc == 0)
		rc = report(&cv, n_engines, verb_seconds() - started, &err);
	verb_disconnect(client);
	table_fini(&table);
	free(cv.predictions);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_cv = {
	.name = "cv",
	.summary = "k-fold cross-validation of a random forest",
	.usage =
		"usage: ipp-run cv [--folds K] [--repeats R] [OPTION...]\n"
		"Deal the rows into K folds at random, predict each fold by a forest fitted to the others, over\n"
		"all engines; R times with different folds.\n"
		"  --folds K                  10\n"
		"  --repeats R                1\n" STUDY_USAGE "Output:\n"
		"  --json                     one JSON object\n"
		"  --out FILE.csv             repeat, index, truth and prediction\n"
		"  --engines N                where there is no cluster: start N engines on this machine\n",
	.run = cross_validate,
};
