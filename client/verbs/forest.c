#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/grow.h"
#include "client/model.h"
#include "client/output.h"
#include "client/plural.h"
#include "client/study.h"
#include "engine/forest/forest.h"

#define PREDICT_ROWS 4096 /* a task */

struct options {
	struct study study;
	const char *model, *out;
	bool json, importance;
};

static int take(void *owner, int c, const char *text, struct ipp_error *err)
{
	struct options *options = owner;

	(void)err;
	if (c == 'm')
		options->model = text;
	else if (c == 'o')
		options->out = text;
	else if (c == 'i')
		options->importance = true;
	else
		options->json = true;
	return 0;
}

/* argv[0] is fit or predict; `verb` both words. */
static int parse(struct options *options, const char *verb, int argc, char **argv,
		 struct ipp_error *err)
{
	static const struct option known[] = {
		STUDY_GETOPT,
		{"model", required_argument, NULL, 'm'},
		{"out", required_argument, NULL, 'o'},
		{"importance", no_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	int rc;

	study_init(&options->study);
	rc = study_options(&options->study, verb, argc, argv, "m:o:", known, take, options, err);
	if (rc == 0 && options->out)
		rc = output_check(options->out, err);
	return rc;
}

/* ---- fit ---- */

/* Mean squared error of the out-of-bag (oob) predictions, over rows that any tree left out. */
static double oob_mse(const struct grown *grown, const struct table *table, size_t *n_rows)
{
	double sum = 0;

	*n_rows = 0;
	for (size_t i = 0; i < table->n; i++) {
		const double error = grown->oob_sums[i] / grown->oob_counts[i] - table->y[i];

		if (grown->oob_counts[i] == 0)
			continue;
		sum += error * error;
		++*n_rows;
	}
	return *n_rows ? sum / (double)*n_rows : NAN;
}

static double variance(const struct table *table)
{
	double mean = 0, sum = 0;

	for (size_t i = 0; i < table->n; i++)
		mean += table->y[i] / (double)table->n;
	for (size_t i = 0; i < table->n; i++)
		sum += (table->y[i] - mean) * (table->y[i] - mean);
	return sum / (double)table->n;
}

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static int print_fit_json(const struct grown *grown, const struct table *table, size_t nodes,
			  size_t n_engines, double seconds, struct ipp_error *err)
{
	size_t n_rows;
	const double mse = oob_mse(grown, table, &n_rows);
	json_t *oob = json_array(), *importance = json_array();
	json_t *json;

	for (size_t i = 0; i < table->n; i++)
		json_array_append_new(oob, number(grown->oob_sums[i] / grown->oob_counts[i]));
	for (size_t f = 0; grown->importance && f < table->p; f++)
		json_array_append_new(importance,
				      number(grown->importance[f] / (double)grown->trees));
	json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:f, s:f, s:o, s:o}", "n",
			 (json_int_t)table->n, "p", (json_int_t)table->p, "trees",
			 (json_int_t)grown->trees, "nodes", (json_int_t)nodes, "engines",
			 (json_int_t)n_engines, "oob_mse", number(mse), "seconds", seconds,
			 "task_seconds", grown->timeline.task_seconds, "oob_predictions", oob,
			 "importance", importance);
	if (!json)
		return ipp_fail(err, ENOMEM, "ipp-run forest: out of memory");
	json_dumpf(json, stdout, JSON_REAL_PRECISION(17));
	putchar('\n');
	json_decref(json);
	return 0;
}

struct ranked {
	double value;
	size_t feature;
};

static int larger_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->value < y->value) - (x->value > y->value);
}

static int print_importance(const struct grown *grown, const struct table *table,
			    struct ipp_error *err)
{
	const size_t shown = table->p < 10 ? table->p : 10;
	struct ranked *ranked = calloc(table->p, sizeof(*ranked));

	if (!ranked)
		return ipp_fail(err, ENOMEM, "ipp-run forest: out of memory");
	for (size_t f = 0; f < table->p; f++)
		ranked[f] = (struct ranked){grown->importance[f] / (double)grown->trees, f};
	qsort(ranked, table->p, sizeof(*ranked), larger_first);
	printf("\n  feature  permutation importance (increase of the squared error)\n");
	for (size_t i = 0; i < shown; i++)
		printf("  %7zu  %10.4f\n", ranked[i].feature, ranked[i].value);
	if (shown < table->p)
		printf("  and %zu more: --json has them all\n", table->p - shown);
	free(ranked);
	return 0;
}

/* Of a constant target there is no variance to explain. */
static void print_oob(double mse, double of)
{
	printf("  out-of-bag squared error  %10.4f", mse);
	if (of > 0)
		printf("  (%.1f %% of the variance explained)", 100 * (1 - mse / of));
	putchar('\n');
}

static int print_fit(const struct grown *grown, const struct table *table, size_t nodes,
		     size_t n_engines, double seconds, struct ipp_error *err)
{
	size_t n_rows;
	const double mse = oob_mse(grown, table, &n_rows);

	printf("Random forest: %llu tree%s, %zu node%s, fitted to %zu rows of %zu feature%s\n\n",
	       (unsigned long long)grown->trees, plural(grown->trees), nodes, plural(nodes),
	       table->n, table->p, plural(table->p));
	if (n_rows > 0)
		print_oob(mse, variance(table));
	printf("  elapsed                   %10.3f s on %zu engine%s\n", seconds, n_engines,
	       plural(n_engines));
	printf("  in tasks                  %10.3f s\n", grown->timeline.task_seconds);
	return grown->importance ? print_importance(grown, table, err) : 0;
}

static int finish_fit(const struct options *options, const struct grown *grown,
		      const struct table *table, size_t n_engines, double seconds,
		      struct ipp_error *err)
{
	struct forest *forest;
	int rc = forest_join(&forest, (const struct forest *const *)grown->parts, grown->n_parts,
			     err);

	if (rc == 0 && options->out)
		rc = model_save(forest, options->out, err);
	if (rc == 0)
		rc = (options->json ? print_fit_json : print_fit)(
			grown, table, forest_nodes(forest), n_engines, seconds, err);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", err);
	forest_free(forest);
	return rc;
}

static int fit(struct options *options, struct ipp_error *err)
{
	struct ipp_client *client = NULL;
	struct table table = {0};
	struct grown grown = {0};
	size_t n_engines = 0;
	double started;
	int rc = study_check(&options->study, err);

	if (rc == 0 && options->model)
		rc = ipp_fail(err, EINVAL,
			      "ipp-run forest fit: --model is for predict; a fitted model goes "
			      "to --out FILE");
	if (rc == 0)
		rc = study_table(&options->study, &table, err);
	if (rc == 0)
		rc = grown_init(&grown, &table, options->importance, true, err);
	if (rc == 0)
		rc = verb_connect(&client, (unsigned)options->study.engines, err);
	if (rc == 0)
		rc = study_push(&table, client, &n_engines, err);
	started = verb_seconds();
	if (rc == 0)
		rc = grow(client, &options->study, options->study.trees, &grown, err);
	if (rc == 0)
		rc = finish_fit(options, &grown, &table, n_engines, verb_seconds() - started, err);
	verb_disconnect(client);
	grown_fini(&grown);
	table_fini(&table);
	return rc;
}

/* ---- predict ---- */

struct predicting {
	size_t n, sent;
	double *predictions;
	struct ipp_error *err;
};

static int next(void *owner, struct ipp_value *item)
{
	struct predicting *predicting = owner;

	if (predicting->sent * PREDICT_ROWS >= predicting->n)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = (int64_t)predicting->sent++};
	return 1;
}

static int done(void *owner, const struct ipp_result *result)
{
	struct predicting *predicting = owner;
	const size_t first = result->index * PREDICT_ROWS;

	if (result->outcome != IPP_OK || result->value.kind != IPP_ARRAY ||
	    result->value.bytes > (predicting->n - first) * sizeof(double))
		return ipp_fail(predicting->err, EIO, "ipp-run forest predict: rows from %zu: %s",
				first,
				result->error[0] ? result->error : "the result is not whole");
	memcpy(predicting->predictions + first, result->value.data, result->value.bytes);
	return 0;
}

static int run_predict(struct ipp_client *client, struct predicting *predicting)
{
	const struct ipp_argument argument = study_argument("chunk", PREDICT_ROWS);
	const struct ipp_run run = {.function = "forest.so:predict",
				    .arguments = &argument,
				    .n_arguments = 1,
				    .next = next,
				    .done = done,
				    .owner = predicting};
	struct ipp_error stopped;
	const int rc = ipp_run(client, &run, &stopped);

	/* When done() stopped it, it has said why. */
	if (rc < 0 && rc != -ECANCELED)
		*predicting->err = stopped;
	return rc;
}

static int push_model(struct ipp_client *client, const uint8_t *bytes, size_t n_bytes,
		      const struct table *table, struct ipp_error *err)
{
	const uint64_t model_shape[1] = {n_bytes}, x_shape[2] = {table->n, table->p};
	const struct ipp_value model = {.kind = IPP_ARRAY,
					.dtype = "|u1",
					.shape = model_shape,
					.n_dims = 1,
					.data = bytes,
					.bytes = n_bytes};
	const struct ipp_value x = {.kind = IPP_ARRAY,
				    .dtype = "<f8",
				    .shape = x_shape,
				    .n_dims = 2,
				    .data = table->x,
				    .bytes = table->n * table->p * sizeof(double)};
	uint32_t *targets;
	size_t n;
	int rc = verb_targets(client, NULL, &targets, &n, err);

	if (rc < 0)
		return rc;
	rc = ipp_push(client, targets, n, "forest.model", &model, err);
	if (rc == 0)
		rc = ipp_push(client, targets, n, "forest.X", &x, err);
	free(targets);
	return rc;
}

/* One column, or two when the truth is known. */
static int write_predictions(FILE *out, const struct table *table, const double *predictions)
{
	fputs(table->y ? "index,truth,prediction\n" : "index,prediction\n", out);
	for (size_t i = 0; i < table->n; i++) {
		fprintf(out, "%zu,", i);
		if (table->y)
			fprintf(out, "%.17g,", table->y[i]);
		fprintf(out, "%.17g\n", predictions[i]);
	}
	return 0;
}

static int save_predictions(const struct options *options, const struct table *table,
			    const double *predictions, struct ipp_error *err)
{
	struct output output;
	int rc;

	if (!options->out) {
		write_predictions(stdout, table, predictions);
		return output_flush(stdout, "standard output", err);
	}
	rc = output_open(&output, options->out, err);
	if (rc < 0)
		return rc;
	write_predictions(output.file, table, predictions);
	rc = output_commit(&output, err);
	output_fini(&output);
	return rc;
}

/* Rows to predict; the target, when one is named, is what predictions are set beside. */
static int read_rows(const struct study *study, struct table *table, struct ipp_error *err)
{
	if (study->csv)
		return table_from_csv(table, study->csv, study->target, err);
	return table_from_npy(table, study->x, study->y, err);
}

/* The file is sound and suits the rows: said here, before engines are asked. */
static int check_model(const char *path, const uint8_t *bytes, size_t n_bytes,
		       const struct table *table, struct ipp_error *err)
{
	struct forest *forest;
	int rc = forest_read(&forest, bytes, n_bytes, err);

	if (rc == 0 && forest_cols(forest) != table->p)
		rc = ipp_fail(
			err, EINVAL,
			"%s: was fitted to %zu features, but the rows have %zu: give the same "
			"columns, and --target for one that is the target",
			path, forest_cols(forest), table->p);
	forest_free(forest);
	return rc;
}

static int predict(struct options *options, struct ipp_error *err)
{
	struct ipp_client *client = NULL;
	struct table table = {0};
	struct predicting predicting = {.err = err};
	uint8_t *bytes = NULL;
	size_t n_bytes;
	int rc = study_check_predict(&options->study, err);

	if (rc == 0 && (options->json || options->importance))
		rc = ipp_fail(err, EINVAL,
			      "ipp-run forest predict: %s is an option of fit: leave it out",
			      options->json ? "--json" : "--importance");
	if (rc == 0 && !options->model)
		rc = ipp_fail(
			err, EINVAL,
			"ipp-run forest predict: give --model FILE, which ipp-run forest fit wrote");
	if (rc == 0)
		rc = read_rows(&options->study, &table, err);
	if (rc == 0)
		rc = model_load(options->model, &bytes, &n_bytes, err);
	if (rc == 0)
		rc = check_model(options->model, bytes, n_bytes, &table, err);
	if (rc == 0) {
		predicting.n = table.n;
		predicting.predictions = calloc(table.n, sizeof(*predicting.predictions));
		rc = predicting.predictions
			     ? 0
			     : ipp_fail(err, ENOMEM, "ipp-run forest predict: out of memory");
	}
	if (rc == 0)
		rc = verb_connect(&client, (unsigned)options->study.engines, err);
	if (rc == 0)
		rc = push_model(client, bytes, n_bytes, &table, err);
	if (rc == 0)
		rc = run_predict(client, &predicting);
	if (rc == 0)
		rc = save_predictions(options, &table, predicting.predictions, err);
	verb_disconnect(client);
	free(predicting.predictions);
	free(bytes);
	table_fini(&table);
	return rc;
}

static int forest(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const bool fits = strcmp(what, "fit") == 0;
	struct options options = {0};
	struct ipp_error err;
	int rc;

	if (!fits && strcmp(what, "predict") != 0)
		return verb_misuse(&verb_forest, "'%.60s': fit or predict?", what);
	rc = parse(&options, fits ? "forest fit" : "forest predict", argc - 1, argv + 1, &err);
	if (rc == 0)
		rc = fits ? fit(&options, &err) : predict(&options, &err);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_forest = {
	.name = "forest",
	.summary = "fit a random forest to all rows, and predict new ones",
	.usage =
		"usage: ipp-run forest fit [--out MODEL] [OPTION...]\n"
		"       ipp-run forest predict --model MODEL (--csv FILE [--target NAME] | --x X.npy [--y Y.npy])\n"
		"Fit: trees are grown all over the engines; says the out-of-bag (oob) error.\n"
		"  -o, --out MODEL            write the fitted model\n"
		"  --importance               permutation importance of the features, on oob rows\n"
		"  --json                     one JSON object, oob predictions and all importances in it\n" STUDY_USAGE
		"Predict: prints index and prediction as CSV, with the truth between if there is a target.\n"
		"  Columns go by their place, not by name: give them in the order of the fit.\n"
		"  -m, --model MODEL          what fit wrote\n"
		"  -o, --out FILE.csv         instead of standard output\n"
		"  --engines N                where there is no cluster: start N engines on this machine\n",
	.run = forest,
};
