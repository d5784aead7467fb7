#include "client/sinks.h"

#include <stdio.h>
#include <unistd.h>

#include "client/verb.h"

static bool wants_bar(const struct map_options *options)
{
	return options->progress || (!options->no_progress && isatty(STDERR_FILENO));
}

int sinks_open(struct sinks *sinks, const struct map_options *options, uint64_t total,
	       struct ipp_error *err)
{
	struct sink **next = sinks->at;
	int rc = 0;

	if (options->joblog)
		rc = joblog_open(next++, options->joblog, err);
	if (rc == 0 && options->results)
		rc = results_open(next++, options->results, err);
	if (rc == 0 && options->json)
		rc = json_open(next++, err);
	sinks->need_items = next > sinks->at;
	if (rc == 0 && wants_bar(options))
		rc = progress_open(next++, total, options->progress, err);
	sinks->n = (size_t)(next - sinks->at) - (rc < 0);
	return rc;
}

static void complain(struct sinks *sinks, const struct ipp_error *err, const char *what_now)
{
	sinks_make_way(sinks);
	fflush(stdout);
	fprintf(stderr, "%s%s\n", err->text, what_now);
	sinks->failed = true;
}

static void close_one(struct sinks *sinks, size_t i)
{
	struct sink *sink = sinks->at[i];
	struct ipp_error err;

	for (sinks->n--; i < sinks->n; i++)
		sinks->at[i] = sinks->at[i + 1];
	if (sink->close(sink, &err) < 0 && !sinks->failed)
		complain(sinks, &err, "");
}

/* What comes last in the list is closed first: the bar, before others may have to complain. */
void sinks_close(struct sinks *sinks)
{
	while (sinks->n > 0)
		close_one(sinks, sinks->n - 1);
}

void sinks_make_way(struct sinks *sinks)
{
	for (size_t i = 0; i < sinks->n; i++)
		if (sinks->at[i]->make_way)
			sinks->at[i]->make_way(sinks->at[i]);
}

void sinks_tick(struct sinks *sinks)
{
	for (size_t i = 0; i < sinks->n; i++)
		if (sinks->at[i]->tick)
			sinks->at[i]->tick(sinks->at[i]);
}

/* A sink that failed gets no more; whether it did not. */
static bool judge(struct sinks *sinks, size_t i, int rc, const struct ipp_error *err)
{
	if (rc == 0)
		return true;
	complain(sinks, err, "; the map goes on without it");
	close_one(sinks, i);
	return false;
}

void sinks_add(struct sinks *sinks, const struct ended *ended)
{
	struct ipp_error err;

	for (size_t i = 0; i < sinks->n;)
		i += judge(sinks, i, sinks->at[i]->add(sinks->at[i], ended, &err), &err);
}

void sinks_flush(struct sinks *sinks)
{
	struct ipp_error err;

	for (size_t i = 0; i < sinks->n;) {
		struct sink *sink = sinks->at[i];

		i += judge(sinks, i, sink->flush ? sink->flush(sink, &err) : 0, &err);
	}
}
