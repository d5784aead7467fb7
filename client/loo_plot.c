#include "client/loo_plot.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/output.h"
#include "client/plural.h"
#include "client/timeline.h"
#include "proto/error.h"
#include "proto/sealed.h"

extern char **environ;

static const char *terminal_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && strcmp(dot, ".svg") == 0)
		return "svg size 1500,500 font 'sans,14' background 'white'";
	if (dot && strcmp(dot, ".png") == 0)
		return "pngcairo size 1500,500 font 'sans,11'";
	return NULL;
}

/* ---- gnuplot ---- */

/* Run it on `script` (a descriptor), its picture going to `picture`.  Its exit code, or -errno. */
static int run_gnuplot(int script, int picture)
{
	/* -d: without the user's settings, which could change any of it. */
	char *const argv[] = {(char *)"gnuplot", (char *)"-d", (char *)"-", NULL};
	char *const version[] = {(char *)"gnuplot", (char *)"--version", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = 0;
	int rc;

	posix_spawn_file_actions_init(&actions);
	if (script >= 0)
		posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
	if (picture >= 0)
		posix_spawn_file_actions_adddup2(&actions, picture, STDOUT_FILENO);
	else
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1, 0);
	rc = posix_spawnp(&pid, "gnuplot", &actions, NULL, script >= 0 ? argv : version, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return -rc;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int loo_plot_check(const char *path, struct ipp_error *err)
{
	if (!terminal_of(path))
		return ipp_fail(err, EINVAL, "--plot %s: give a name that ends in .svg or .png",
				path);
	if (run_gnuplot(-1, -1) != 0)
		return ipp_fail(err, ENOENT,
				"--plot needs gnuplot, which does not run here; install it: "
				"apt-get install gnuplot-nox");
	return output_check(path, err);
}

/* ---- the script ---- */

static double first_start_us(const struct timeline *timeline)
{
	double first = INFINITY;

	for (size_t i = 0; i < timeline->n; i++)
		first = fmin(first, (double)timeline->spans[i].started_us);
	return first;
}

/* $rows: truth, prediction.  $tasks: item, engine, start and end in ms since the first began. */
static void write_data(FILE *out, const struct loo_report *report, const struct timeline *timeline)
{
	const double zero_us = first_start_us(timeline);

	fputs("$rows << END\n", out);
	for (size_t i = 0; i < report->held_out; i++)
		fprintf(out, "%.17g %.17g\n", report->truth[i], report->prediction[i]);
	fputs("END\n$tasks << END\n", out);
	for (size_t i = 0; i < timeline->n; i++) {
		const struct span *span = &timeline->spans[i];
		const double start_ms = ((double)span->started_us - zero_us) * 1e-3;

		fprintf(out, "%llu %u %.3f %.3f\n", (unsigned long long)span->item, span->engine,
			start_ms, start_ms + (double)span->elapsed_us * 1e-3);
	}
	fputs("END\n", out);
}

struct range {
	double low, high;
};

static void range_take(struct range *range, double value)
{
	range->low = fmin(range->low, value);
	range->high = fmax(range->high, value);
}

/* A margin on both sides; of a single value too, which gnuplot calls an empty range. */
static void range_widen(struct range *range)
{
	const double margin = range->high > range->low ? 0.05 * (range->high - range->low)
						       : 1 + fabs(range->high) * 0x1p-20;

	range->low -= margin;
	range->high += margin;
}

static void write_scatter(FILE *out, const struct loo_report *report)
{
	struct range range = {INFINITY, -INFINITY};

	for (size_t i = 0; i < report->held_out; i++) {
		range_take(&range, report->truth[i]);
		range_take(&range, report->prediction[i]);
	}
	range_widen(&range);
	fprintf(out,
		"set title 'Predicted against held out, and the identity line'\n"
		"set xlabel 'held-out value'\nset ylabel 'prediction'\n"
		"set xrange [%.17g:%.17g]\nset yrange [%.17g:%.17g]\nset size square\nunset key\n"
		"plot x with lines lc rgb '#999999' lw 2, "
		"$rows using 1:2 with points pt 7 ps 0.7 lc rgb '#0072B2'\n",
		range.low, range.high, range.low, range.high);
}

/* Zero is always in sight of the residuals. */
static void write_residuals(FILE *out, const struct loo_report *report)
{
	struct range x = {INFINITY, -INFINITY}, y = {0, 0};

	for (size_t i = 0; i < report->held_out; i++) {
		range_take(&x, report->prediction[i]);
		range_take(&y, report->truth[i] - report->prediction[i]);
	}
	range_widen(&x);
	range_widen(&y);
	fprintf(out,
		"set title 'Residuals'\n"
		"set xlabel 'prediction'\nset ylabel 'held-out value - prediction'\n"
		"set xrange [%.17g:%.17g]\nset yrange [%.17g:%.17g]\nset size nosquare\n"
		"plot 0 with lines lc rgb '#999999' lw 2, "
		"$rows using 2:($1-$2) with points pt 7 ps 0.7 lc rgb '#D55E00'\n",
		x.low, x.high, y.low, y.high);
}

/* Neighbouring tasks differ in colour, so that each can be seen; a task's number stands where there
 * is room for it. */
static void write_timeline(FILE *out, const struct loo_report *report,
			   const struct timeline *timeline)
{
	const double zero_us = first_start_us(timeline);
	double end_ms = 0.001; /* a range that is not empty */
	uint32_t last_engine = 0;

	for (size_t i = 0; i < timeline->n; i++) {
		const struct span *span = &timeline->spans[i];

		end_ms = fmax(end_ms,
			      ((double)span->started_us - zero_us + (double)span->elapsed_us) *
				      1e-3);
		if (span->engine > last_engine)
			last_engine = span->engine;
	}
	fprintf(out,
		"set title 'Which engine did which %s when'\n"
		"set xlabel 'ms since the first task began'\nset ylabel 'engine'\n"
		"set size nosquare\nset ytics %u\n"
		"set xrange [0:%g]\nset yrange [%g:-0.6]\n"
		"set style fill solid 0.9 %s\n"
		"colour(item) = int(item) %% 3 == 0 ? 0x0072B2 : int(item) %% 3 == 1 ? 0xE69F00 : 0x009E73\n"
		"name(item, ms) = ms > %g ? sprintf('%%d', int(item)) : ''\n"
		"plot $tasks using 3:2:3:4:($2-0.4):($2+0.4):(colour($1)) with boxxyerror lc rgb variable notitle, "
		"$tasks using (($3+$4)/2):2:(name($1, $4-$3)) with labels font ',8' textcolor rgb 'black' notitle\n",
		report->oob_trees ? "bundle of trees" : "row",
		/* No more numbers than can be read. */
		last_engine / 24 + 1, end_ms, last_engine + 0.6,
		/* Borders would hide what is narrower than they are. */
		timeline->n > 100 * ((size_t)last_engine + 1) ? "noborder"
							      : "border lc rgb 'white'",
		end_ms / 30);
}

/* What was done and how well: the picture may be all that is left of the run. */
static void write_title(FILE *out, const struct loo_report *report)
{
	const double correlation = loo_report_correlation(report);

	fprintf(out, "Leave-one-out%s, random forest: %zu of %zu rows, %zu feature%s, ",
		report->oob_trees ? " by out-of-bag (oob) trees" : "", report->held_out, report->n,
		report->p, plural(report->p));
	if (report->oob_trees)
		fprintf(out, "at least %zu of %zu trees", report->trees, report->oob_trees);
	else
		fprintf(out, "%zu tree%s", report->trees, plural(report->trees));
	fprintf(out, "; MSE %.4g, correlation ", loo_report_mse(report));
	if (isnan(correlation))
		fputs("undefined", out);
	else
		fprintf(out, "%.4f", correlation);
}

static void write_script(FILE *out, const struct loo_report *report,
			 const struct timeline *timeline, const char *terminal)
{
	fprintf(out, "set terminal %s\nset encoding utf8\n", terminal);
	write_data(out, report, timeline);
	fputs("set multiplot layout 1,3 title '", out);
	write_title(out, report);
	fputs("'\nset grid lt 1 lw 0.5 lc rgb '#dddddd'\n", out);
	write_scatter(out, report);
	write_residuals(out, report);
	write_timeline(out, report, timeline);
	fputs("unset multiplot\n", out);
}

int loo_plot_save(const struct loo_report *report, const struct timeline *timeline,
		  const char *path, struct ipp_error *err)
{
	struct output output = {0};
	char *text = NULL;
	size_t bytes = 0;
	FILE *script = open_memstream(&text, &bytes);
	int fd = -1;
	int rc;

	if (!script)
		return ipp_fail(err, ENOMEM, "--plot: out of memory");
	write_script(script, report, timeline, terminal_of(path));
	fclose(script);
	fd = sealed_new("gnuplot script", text, bytes, err);
	free(text);
	if (fd < 0)
		return fd;
	lseek(fd, 0, SEEK_SET);
	rc = output_open(&output, path, err);
	if (rc == 0) {
		rc = run_gnuplot(fd, fileno(output.file));
		if (rc != 0)
			rc = ipp_fail(err, EIO,
				      "--plot %s: gnuplot failed (%d); what it says is above", path,
				      rc);
		else
			rc = output_commit(&output, err);
		output_fini(&output);
	}
	close(fd);
	return rc;
}
