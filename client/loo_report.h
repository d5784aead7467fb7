/* client/loo_report.h - what leave-one-out (loo) found: each row predicted by a model fitted to all
 * the others, beside the truth.
 *
 * Sums run in the rows' order, so that equal predictions give equal numbers to the bit.
 * Thread: any. */
#ifndef IPP_CLIENT_LOO_REPORT_H
#define IPP_CLIENT_LOO_REPORT_H

#include <stddef.h>
#include <stdio.h>

struct ipp_error;

struct loo_report {
	size_t n, p;	  /* of the data: rows, features */
	size_t trees;	  /* of each forest; with oob_trees: that each row had at least */
	size_t oob_trees; /* estimator oob: trees of the one forest; 0: a forest a row */
	size_t oob_draws; /* and the draws of each of them */
	size_t engines;
	size_t held_out;	  /* rows predicted; length of the arrays below (borrowed) */
	const size_t *index;	  /* which rows */
	const double *truth;	  /* what the data says */
	const double *prediction; /* what the model says */
	double seconds;		  /* from the first task sent to the last result */
	double task_seconds;	  /* sum of what the tasks took on their engines */
};

/* Mean squared error; NaN when no row was held out. */
double loo_report_mse(const struct loo_report *report);

/* Pearson's correlation of truth and prediction (np.corrcoef); NaN when either is constant, which
 * a single row always is. */
double loo_report_correlation(const struct loo_report *report);

/* How much sooner than one engine's, if it took task_seconds; NaN when no time passed. */
double loo_report_speed_up(const struct loo_report *report);

/* For people, a few lines; for programs, one JSON object with n, p, trees, held_out, engines, mse,
 * correlation, seconds, task_seconds, estimator ("loo" or "oob") and predictions[], doubles to 17
 * digits, NaN as null; with oob_trees those too.
 * -errno of the stream, -ENOMEM. */
int loo_report_print(const struct loo_report *report, FILE *out, struct ipp_error *err);
int loo_report_json(const struct loo_report *report, FILE *out, struct ipp_error *err);

/* Write index, truth and prediction as CSV to `path`, whole or not at all: see client/output.h,
 * whose output_check() tells beforehand whether it will do.  -errno. */
int loo_report_save(const struct loo_report *report, const char *path, struct ipp_error *err);

#endif
