#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "client/verb.h"

#define SECONDS 2.0 /* for each figure, unless said */
#define TRIPS_MAX 100000
#define WARM_UP 20
#define FIRST_MAP 256
#define VALUE_BYTES (64u << 20)
#define VARIABLE "ipp_bench"

struct figure {
	const char *key, *label, *unit;
	double value;
};

struct bench {
	struct ipp_client *client;
	uint32_t *targets;
	size_t n_targets, n_hosts;
	double seconds;
	struct figure figures[16];
	size_t n_figures;

	/* The map that runs. */
	uint64_t n_items, n_given, n_failed;
	char failure[256];
};

static void note(struct bench *bench, const char *key, const char *label, const char *unit,
		 double value)
{
	bench->figures[bench->n_figures++] = (struct figure){key, label, unit, value};
}

static int done(void *owner, const struct ipp_result *result)
{
	struct bench *bench = owner;

	if (result->outcome == IPP_OK)
		return 0;
	bench->n_failed++;
	snprintf(bench->failure, sizeof(bench->failure), "%s", result->error);
	return 1;
}

static int run_it(struct bench *bench, struct ipp_run *run, struct ipp_error *err)
{
	int rc;

	run->done = done;
	run->owner = bench;
	rc = ipp_run(bench->client, run, err);
	if (rc == -ECANCELED && bench->n_failed > 0)
		return ipp_fail(err, EIO, "ipp-run bench: a task failed: %s", bench->failure);
	return rc;
}

/* ---- round trips ---- */

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int measure_trips(struct bench *bench, struct ipp_error *err)
{
	struct ipp_run run = {
		.function = "bench.so:noop", .targets = bench->targets, .n_targets = 1};
	double *us = malloc(TRIPS_MAX * sizeof(*us));
	const double begin = verb_seconds();
	double before = begin;
	size_t n = 0;
	int rc = us ? 0 : ipp_fail(err, ENOMEM, "ipp-run: out of memory");

	for (size_t i = 0; rc == 0 && n < TRIPS_MAX && (n < 2 || before - begin < bench->seconds);
	     i++) {
		double after;

		rc = run_it(bench, &run, err);
		after = verb_seconds();
		if (i >= WARM_UP)
			us[n++] = (after - before) * 1e6;
		before = after;
	}
	if (rc == 0) {
		qsort(us, n, sizeof(*us), compare);
		note(bench, "round_trip_us", "apply to one engine, median", "us", us[n / 2]);
		note(bench, "round_trip_min_us", "the fastest", "us", us[0]);
		note(bench, "round_trip_p90_us", "nine of ten within", "us", us[n * 9 / 10]);
	}
	free(us);
	return rc;
}

static int measure_all(struct bench *bench, struct ipp_error *err)
{
	struct ipp_run run = {.function = "bench.so:noop",
			      .targets = bench->targets,
			      .n_targets = bench->n_targets};
	const double begin = verb_seconds();
	double now = begin;
	size_t n = 0;
	int rc = 0;

	for (; rc == 0 && now - begin < bench->seconds / 4; n++) {
		rc = run_it(bench, &run, err);
		now = verb_seconds();
	}
	if (rc == 0)
		note(bench, "apply_all_us", "apply to all engines, mean", "us",
		     (now - begin) * 1e6 / (double)n);
	return rc;
}

/* ---- maps ---- */

static int next(void *owner, struct ipp_value *item)
{
	struct bench *bench = owner;

	if (bench->n_given == bench->n_items)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = (int64_t)bench->n_given++};
	return 1;
}

/* Longer and longer maps, until one takes long enough to be believed. */
static int measure_map(struct bench *bench, struct ipp_run *run, const char *key, const char *label,
		       struct ipp_error *err)
{
	double took = 0;
	int rc = 0;

	run->next = next;
	run->among = bench->targets;
	run->n_among = bench->n_targets;
	for (bench->n_items = FIRST_MAP; rc == 0;
	     bench->n_items *= took < bench->seconds / 8 ? 8 : 2) {
		const double begin = verb_seconds();

		bench->n_given = 0;
		rc = run_it(bench, run, err);
		took = verb_seconds() - begin;
		if (took >= bench->seconds / 2)
			break;
	}
	if (rc == 0)
		note(bench, key, label, "/s", (double)bench->n_items / took);
	return rc;
}

static int measure_maps(struct bench *bench, struct ipp_error *err)
{
	static const char *const nothing[] = {"/bin/true", NULL};
	struct ipp_run functions = {.function = "bench.so:noop"};
	struct ipp_run commands = {.argv = nothing};
	int rc = measure_map(bench, &functions, "functions_per_s", "no-op functions, in a map",
			     err);

	return rc < 0 ? rc
		      : measure_map(bench, &commands, "commands_per_s",
				    "no-op commands (/bin/true), in a map", err);
}

/* ---- values ---- */

static void note_mb(struct bench *bench, const char *key, const char *label, double bytes,
		    double begin)
{
	note(bench, key, label, "MB/s", bytes / 1e6 / (verb_seconds() - begin));
}

/* All that the cluster then holds of it is taken away again. */
static int move_values(struct bench *bench, const struct ipp_value *value, struct ipp_error *err)
{
	const double all = (double)value->bytes * (double)bench->n_targets;
	struct ipp_gathered gathered;
	double begin = verb_seconds();
	int rc = ipp_push(bench->client, bench->targets, bench->n_targets, VARIABLE, value, err);

	if (rc < 0)
		return rc;
	note_mb(bench, "push_mb_per_s", "push of 64 MiB to each engine, together", all, begin);
	begin = verb_seconds();
	rc = ipp_scatter(bench->client, bench->targets, bench->n_targets, VARIABLE, value, err);
	if (rc == 0) {
		note_mb(bench, "scatter_mb_per_s", "scatter of 64 MiB", VALUE_BYTES, begin);
		begin = verb_seconds();
		rc = ipp_gather(bench->client, bench->targets, bench->n_targets, VARIABLE,
				&gathered, err);
	}
	if (rc == 0) {
		note_mb(bench, "gather_mb_per_s", "gather of them", VALUE_BYTES, begin);
		ipp_gathered_free(&gathered);
	}
	return rc < 0 ? rc
		      : ipp_remove(bench->client, bench->targets, bench->n_targets, VARIABLE, err);
}

static int measure_values(struct bench *bench, struct ipp_error *err)
{
	const uint64_t shape[] = {VALUE_BYTES};
	uint8_t *bytes = malloc(VALUE_BYTES);
	const struct ipp_value value = {.kind = IPP_ARRAY,
					.bytes = VALUE_BYTES,
					.dtype = "|u1",
					.shape = shape,
					.n_dims = 1,
					.data = bytes};
	int rc;

	if (!bytes)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory for %u bytes to push",
				VALUE_BYTES);
	memset(bytes, 1, VALUE_BYTES); /* touch them: that is not ours to measure */
	rc = move_values(bench, &value, err);
	free(bytes);
	return rc;
}

/* ---- the table ---- */

static int count_hosts(struct bench *bench, struct ipp_error *err)
{
	const struct ipp_engine *engines;
	size_t n;
	const int rc = ipp_engines(bench->client, &engines, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t same = 0;

		while (strcmp(engines[same].host, engines[i].host) != 0)
			same++;
		bench->n_hosts += same == i;
	}
	return rc;
}

static void print_table(const struct bench *bench)
{
	printf("%zu engine%s; the cluster has %zu node%s\n", bench->n_targets,
	       bench->n_targets == 1 ? "" : "s", bench->n_hosts, bench->n_hosts == 1 ? "" : "s");
	for (size_t i = 0; i < bench->n_figures; i++)
		printf("  %-44s %12.*f %s\n", bench->figures[i].label,
		       bench->figures[i].value < 100 ? 1 : 0, bench->figures[i].value,
		       bench->figures[i].unit);
}

static int print_json(const struct bench *bench, struct ipp_error *err)
{
	json_t *object = json_pack("{s:I, s:I}", "engines", (json_int_t)bench->n_targets, "nodes",
				   (json_int_t)bench->n_hosts);
	int rc = object ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < bench->n_figures; i++)
		rc = json_object_set_new(object, bench->figures[i].key,
					 json_real(bench->figures[i].value));
	if (rc == 0)
		rc = json_dumpf(object, stdout, JSON_REAL_PRECISION(6));
	json_decref(object);
	puts("");
	return rc == 0 ? 0 : ipp_fail(err, ENOMEM, "ipp-run: out of memory");
}

static int measure(struct bench *bench, struct ipp_error *err)
{
	int rc = count_hosts(bench, err);

	if (rc == 0)
		rc = measure_trips(bench, err);
	if (rc == 0)
		rc = measure_all(bench, err);
	if (rc == 0)
		rc = measure_maps(bench, err);
	if (rc == 0)
		rc = measure_values(bench, err);
	return rc;
}

static int bench_verb(int argc, char **argv)
{
	static const struct option options[] = {
		{"targets", required_argument, NULL, 't'},
		{"engines", required_argument, NULL, 'n'},
		{"seconds", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	struct bench bench = {.seconds = SECONDS};
	const char *targets = NULL;
	uint64_t engines = 0;
	uint32_t ms = 0;
	bool json = false;
	struct ipp_error err;
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "+t:n:s:", options, NULL)) != -1) {
		if (c == 't')
			targets = optarg;
		else if (c == 'n')
			rc = verb_number("--engines", optarg, 1, 4096, &engines, &err);
		else if (c == 's')
			rc = verb_duration("--seconds", optarg, &ms, &err);
		else if (c == 'j')
			json = true;
		else
			rc = verb_unknown_option("bench", argc, argv, options, &err);
	}
	if (rc == 0 && optind < argc)
		return verb_misuse(&verb_bench, "what is '%.60s'? It takes options alone",
				   argv[optind]);
	if (ms > 0)
		bench.seconds = ms / 1000.0;
	if (rc == 0)
		rc = verb_connect(&bench.client, (unsigned)engines, &err);
	if (rc == 0)
		rc = verb_targets(bench.client, targets, &bench.targets, &bench.n_targets, &err);
	if (rc == 0)
		rc = measure(&bench, &err);
	if (rc == 0 && json)
		rc = print_json(&bench, &err);
	else if (rc == 0)
		print_table(&bench);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	verb_disconnect(bench.client);
	free(bench.targets);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_bench = {
	.name = "bench",
	.summary = "how fast this cluster is: round trips, tasks, commands, values",
	.usage = "usage: ipp-run bench [--targets LIST] [--engines N] [--seconds S] [--json]\n"
		 "Measure what the cluster adds to a task: functions and commands that do nothing, "
		 "and values.\n"
		 "Other work on its nodes makes the figures worse.\n"
		 "  --targets LIST  which engines: all (the default), or such as 0,2-5\n"
		 "  --engines N     where there is no cluster: start N engines on this machine\n"
		 "  --seconds S     for each figure (2)\n"
		 "  --json          one object\n",
	.run = bench_verb,
};
