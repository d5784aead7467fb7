/* schedule - how well the engines are used by a map of naps.  Prints "busy makespan greedy": the
 * per cent of the engines' time that was spent in tasks, how long the map took, and how long greedy
 * list scheduling in the same order would have taken with the durations that were measured, in ms.
 *
 *	schedule same N US	N tasks of US microseconds
 *	schedule mixed N LOW HIGH	N tasks whose lengths are log-uniform in LOW..HIGH */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ipp/client.h"

struct schedule {
	int64_t *us; /* asked for */
	size_t n, given;
	double *elapsed_us; /* measured, by index */
	int64_t first_us, last_us;
};

static int next(void *owner, struct ipp_value *item)
{
	struct schedule *schedule = owner;

	if (schedule->given == schedule->n)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = schedule->us[schedule->given++]};
	return 1;
}

static int done(void *owner, const struct ipp_result *result)
{
	struct schedule *schedule = owner;
	const int64_t end_us = result->started_us + (int64_t)result->elapsed_us;

	if (result->outcome != IPP_OK) {
		fprintf(stderr, "schedule: %s\n", result->error);
		return 1;
	}
	schedule->elapsed_us[result->index] = (double)result->elapsed_us;
	if (schedule->first_us == 0 || result->started_us < schedule->first_us)
		schedule->first_us = result->started_us;
	if (end_us > schedule->last_us)
		schedule->last_us = end_us;
	return 0;
}

/* Each task goes to whoever is free first. */
static double greedy_us(const struct schedule *schedule, size_t n_engines)
{
	double *free_at = calloc(n_engines, sizeof(*free_at));
	double makespan = 0;

	for (size_t i = 0; free_at && i < schedule->n; i++) {
		size_t first = 0;

		for (size_t e = 1; e < n_engines; e++)
			if (free_at[e] < free_at[first])
				first = e;
		free_at[first] += schedule->elapsed_us[i];
		if (free_at[first] > makespan)
			makespan = free_at[first];
	}
	free(free_at);
	return makespan;
}

int main(int argc, char **argv)
{
	const struct ipp_connect options = {.local_engines = 0};
	struct schedule schedule = {.n = argc > 3 ? strtoul(argv[2], NULL, 10) : 0};
	struct ipp_run run = {
		.function = "bench.so:nap", .next = next, .done = done, .owner = &schedule};
	const double low = argc > 3 ? atof(argv[3]) : 0, high = argc > 4 ? atof(argv[4]) : low;
	const struct ipp_engine *engines;
	struct ipp_client *client;
	struct ipp_error err;
	size_t n_engines = 0;
	double busy_us = 0, took_us;

	if (schedule.n == 0 || low <= 0)
		return 125;
	schedule.us = calloc(schedule.n, sizeof(*schedule.us));
	schedule.elapsed_us = calloc(schedule.n, sizeof(*schedule.elapsed_us));
	if (!schedule.us || !schedule.elapsed_us)
		return 1;
	srand48(1);
	for (size_t i = 0; i < schedule.n; i++)
		schedule.us[i] = (int64_t)(low * pow(high / low, drand48()));
	if (ipp_connect(&client, &options, &err) < 0 ||
	    ipp_engines(client, &engines, &n_engines, &err) < 0 ||
	    ipp_run(client, &run, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (size_t i = 0; i < schedule.n; i++)
		busy_us += schedule.elapsed_us[i];
	took_us = (double)(schedule.last_us - schedule.first_us);
	printf("%.2f %.1f %.1f\n", 100 * busy_us / (took_us * (double)n_engines), took_us / 1e3,
	       greedy_us(&schedule, n_engines) / 1e3);
	ipp_disconnect(client);
	free(schedule.us);
	free(schedule.elapsed_us);
	return 0;
}
