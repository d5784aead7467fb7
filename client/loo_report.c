#include "client/loo_report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "client/output.h"
#include "client/plural.h"
#include "proto/error.h"

/* ---- numbers -------------------------------------------------------------------------------- */

double loo_report_mse(const struct loo_report *report)
{
	double sum = 0;

	for (size_t i = 0; i < report->held_out; i++) {
		double error = report->prediction[i] - report->truth[i];

		sum += error * error;
	}
	return report->held_out ? sum / (double)report->held_out : NAN;
}

static double mean(const double *values, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i];
	return sum / (double)n;
}

/* Asked of the values, for a rounded mean makes constants vary. */
static bool is_constant(const double *values, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (values[i] != values[0])
			return false;
	return true;
}

double loo_report_correlation(const struct loo_report *report)
{
	const size_t n = report->held_out;
	double truth_mean, prediction_mean;
	double both = 0, truth_square = 0, prediction_square = 0;

	if (is_constant(report->truth, n) || is_constant(report->prediction, n))
		return NAN;
	truth_mean = mean(report->truth, n);
	prediction_mean = mean(report->prediction, n);
	for (size_t i = 0; i < n; i++) {
		double truth = report->truth[i] - truth_mean;
		double prediction = report->prediction[i] - prediction_mean;

		both += truth * prediction;
		truth_square += truth * truth;
		prediction_square += prediction * prediction;
	}
	/* Rounding may carry a perfect correlation past 1. */
	both /= sqrt(truth_square) * sqrt(prediction_square);
	return both > 1 ? 1 : both < -1 ? -1 : both;
}

double loo_report_speed_up(const struct loo_report *report)
{
	return report->seconds > 0 ? report->task_seconds / report->seconds : NAN;
}

/* ---- what is written ------------------------------------------------------------------------ */

int loo_report_print(const struct loo_report *report, FILE *out, struct ipp_error *err)
{
	const double correlation = loo_report_correlation(report);
	const double speed_up = loo_report_speed_up(report);

	fprintf(out,
		"Leave-one-out of a random forest: %zu of %zu rows, %zu feature%s, %zu tree%s\n\n",
		report->held_out, report->n, report->p, plural(report->p), report->trees,
		plural(report->trees));
	if (report->oob_trees)
		fprintf(out,
			"  estimator            oob: the trees that left the row out, of %zu on %zu "
			"draw%s\n",
			report->oob_trees, report->oob_draws, plural(report->oob_draws));
	fprintf(out, "  mean squared error  %10.4f\n", loo_report_mse(report));
	if (isnan(correlation))
		fprintf(out, "  correlation          undefined: truth or prediction is constant\n");
	else
		fprintf(out, "  correlation         %10.4f\n", correlation);
	fprintf(out, "\n  elapsed             %10.3f s on %zu engine%s\n", report->seconds,
		report->engines, plural(report->engines));
	fprintf(out, "  in tasks            %10.3f s\n", report->task_seconds);
	if (!isnan(speed_up))
		fprintf(out,
			"  speed-up            %10.2f\n"
			"  efficiency          %10.0f %%\n",
			speed_up, 100 * speed_up / (double)report->engines);
	return output_flush(out, "the report", err);
}

/* JSON knows no NaN. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *numbers(const double *values, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(array, number(values[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

int loo_report_json(const struct loo_report *report, FILE *out, struct ipp_error *err)
{
	const struct {
		const char *key;
		json_t *value;
	} fields[] = {
		{"n", json_integer((json_int_t)report->n)},
		{"p", json_integer((json_int_t)report->p)},
		{"trees", json_integer((json_int_t)report->trees)},
		{"held_out", json_integer((json_int_t)report->held_out)},
		{"engines", json_integer((json_int_t)report->engines)},
		{"mse", number(loo_report_mse(report))},
		{"correlation", number(loo_report_correlation(report))},
		{"seconds", number(report->seconds)},
		{"task_seconds", number(report->task_seconds)},
		{"estimator", json_string(report->oob_trees ? "oob" : "loo")},
		{"predictions", numbers(report->prediction, report->held_out)},
	};
	json_t *object = json_object();
	int failed = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		failed |= json_object_set_new(object, fields[i].key, fields[i].value);
	if (report->oob_trees)
		failed |= json_object_set_new(object, "oob_trees",
					      json_integer((json_int_t)report->oob_trees));
	if (failed) {
		json_decref(object);
		return ipp_fail(err, ENOMEM, "the report: cannot be written: %m");
	}
	json_dumpf(object, out, JSON_REAL_PRECISION(17)); /* the stream remembers a failure */
	putc('\n', out);
	json_decref(object);
	return output_flush(out, "the report", err);
}

int loo_report_save(const struct loo_report *report, const char *path, struct ipp_error *err)
{
	struct output output;
	int rc = output_open(&output, path, err);

	if (rc < 0)
		return rc;
	fprintf(output.file, "index,truth,prediction\n");
	for (size_t i = 0; i < report->held_out; i++)
		fprintf(output.file, "%zu,%.17g,%.17g\n", report->index[i], report->truth[i],
			report->prediction[i]);
	rc = output_commit(&output, err);
	output_fini(&output);
	return rc;
}
