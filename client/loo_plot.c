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
	char *const argv[] = {(char *)"gnuplot", (char *)"-", NULL};
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

static void write_scatter(FILE *out, const struct loo_report *report)
{
	double low = INFINITY, high = -INFINITY;
	double margin;

	for (size_t i = 0; i < report->held_out; i++) {
		low = fmin(low, fmin(report->truth[i], report->prediction[i]));
		high = fmax(high, fmax(report->truth[i], report->prediction[i]));
	}
	margin = high > low ? 0.04 * (high - low) : 1 + fabs(high) * 0x1p-20;
	low -= margin;
	high += margin;
	fprintf(out,
		"set title 'Predicted against held out'\n"
		"set xlabel 'held-out value'\nset ylabel 'prediction'\n"
		"set xrange [%.17g:%.17g]\nset yrange [%.17g:%.17g]\nset size square\nset key bottom right\n"
		"plot x with lines lc rgb '#999999' lw 2 title 'identity', "
		"$rows using 1:2 with points pt 7 ps 0.7 lc rgb '#0072B2' title 'row'\n",
		low, high, low, high);
}

static void write_residuals(FILE *out)
{
	fputs("set title 'Residuals'\n"
	      "set xlabel 'prediction'\nset ylabel 'held-out value - prediction'\n"
	      "set size nosquare\nset autoscale\nset offsets graph 0.05,graph 0.05,graph "
	      "0.05,graph 0.05\nunset key\n"
	      "plot 0 with lines lc rgb '#999999' lw 2, "
	      "$rows using 2:($1-$2) with points pt 7 ps 0.7 lc rgb '#D55E00'\n",
	      out);
}

/* Neighbouring tasks differ in colour, so that each can be seen; a task's number stands where there
 * is room for it. */
static void write_timeline(FILE *out, const struct loo_report *report,
			   const struct timeline *timeline)
{
	const double zero_us = first_start_us(timeline);
	double end_ms = 0;
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
		"set size nosquare\nset autoscale\nset offsets 0,0,0,0\nset ytics 1\n"
		"set xrange [0:%g]\nset yrange [%g:-0.6]\n"
		"set style fill solid 0.9 %s\n"
		"colour(item) = int(item) %% 3 == 0 ? 0x0072B2 : int(item) %% 3 == 1 ? 0xE69F00 : 0x009E73\n"
		"name(item, ms) = ms > %g ? sprintf('%%d', int(item)) : ''\n"
		"plot $tasks using 3:2:3:4:($2-0.4):($2+0.4):(colour($1)) with boxxyerror lc rgb variable notitle, "
		"$tasks using (($3+$4)/2):2:(name($1, $4-$3)) with labels font ',8' textcolor rgb 'black' notitle\n",
		report->oob_trees ? "bundle of trees" : "row", end_ms, last_engine + 0.6,
		/* Borders would hide what is narrower than they are. */
		timeline->n > 100 * ((size_t)last_engine + 1) ? "noborder"
							      : "border lc rgb 'white'",
		end_ms / 30);
}

static void write_script(FILE *out, const struct loo_report *report,
			 const struct timeline *timeline, const char *terminal)
{
	fprintf(out, "set terminal %s\nset encoding utf8\n", terminal);
	write_data(out, report, timeline);
	fprintf(out,
		"set multiplot layout 1,3 title 'Leave-one-out, random forest: %zu of %zu rows, "
		"%zu features, %zu trees; MSE %.4f, correlation %.4f'\nset grid lc rgb '#dddddd'\n",
		report->held_out, report->n, report->p, report->trees, loo_report_mse(report),
		loo_report_correlation(report));
	write_scatter(out, report);
	write_residuals(out);
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
