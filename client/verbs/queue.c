#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/lines.h"
#include "client/output.h"
#include "client/verb.h"
#include "proto/json_text.h"

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static bool has_ended(const struct ipp_request_info *request)
{
	return request->ended_us > 0;
}

static void print_table(const struct ipp_request_info *list, size_t n, bool ended)
{
	const int64_t now = now_us();
	char line[LINE_BYTES];

	if (ended)
		line_of_history(line);
	else
		line_of_queue(line);
	puts(line);
	for (size_t i = 0; i < n; i++) {
		if (has_ended(&list[i]) != ended)
			continue;
		if (ended)
			line_of_ended(line, &list[i]);
		else
			line_of_queued(line, &list[i], now);
		puts(line);
	}
}

static json_t *seconds_or_null(int64_t us)
{
	return us > 0 ? json_real((double)us / 1e6) : json_null();
}

/* One object a line. */
static int print_json(const struct ipp_request_info *list, size_t n, bool ended,
		      struct ipp_error *err)
{
	char id[VERB_ID_BYTES];

	for (size_t i = 0; i < n; i++) {
		const struct ipp_request_info *one = &list[i];
		json_t *object;

		if (has_ended(one) != ended)
			continue;
		object = json_pack("{s:s, s:o, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:b}", "id",
				   verb_request_name(one->id, id), "label", json_text(one->label),
				   "state", one->state, "view", one->map ? "balanced" : "direct",
				   "tasks", (json_int_t)one->tasks, "done", (json_int_t)one->done,
				   "failed", (json_int_t)one->failed, "submitted",
				   seconds_or_null(one->submitted_us), "started",
				   seconds_or_null(one->started_us), "ended",
				   seconds_or_null(one->ended_us), "kept", one->detached);
		if (!object)
			return ipp_fail(err, ENOMEM, "ipp-run: out of memory");
		json_dumpf(object, stdout, JSON_COMPACT); /* show() looks at what was printed */
		json_decref(object);
		putchar('\n');
	}
	return 0;
}

static int show(const struct verb *verb, int argc, char **argv, bool ended)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	const struct ipp_connect nowhere = {.local_engines = 0};
	const struct ipp_request_info *list;
	struct ipp_client *client = NULL;
	struct ipp_error err;
	bool json = false;
	size_t n;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j') {
			verb_unknown_option(verb->name, argc, argv, options, &err);
			return verb_fail(&err);
		}
		json = true;
	}
	if (optind < argc)
		return verb_misuse(verb, "what is '%s'? it takes no words", argv[optind]);
	rc = ipp_connect(&client, &nowhere, &err);
	if (rc == 0)
		rc = ipp_requests(client, &list, &n, &err);
	if (rc == 0 && json)
		rc = print_json(list, n, ended, &err);
	else if (rc == 0)
		print_table(list, n, ended);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	verb_disconnect(client);
	return rc < 0 ? verb_fail(&err) : 0;
}

static int queue(int argc, char **argv)
{
	return show(&verb_queue, argc, argv, false);
}

static int history(int argc, char **argv)
{
	return show(&verb_history, argc, argv, true);
}

const struct verb verb_queue = {
	.name = "queue",
	.summary = "what waits and what runs, of all clients",
	.usage = "usage: ipp-run queue [--json]\n"
		 "A line a request: its id, state (waiting, running), view, tasks so far, how many "
		 "are done, how\n"
		 "many of those failed, how long ago it was submitted, and what it is.\n"
		 "  --json  one object a line for programs; times are seconds since 1970\n",
	.run = queue,
};

const struct verb verb_history = {
	.name = "history",
	.summary = "what has ended, of all clients",
	.usage =
		"usage: ipp-run history [--json]\n"
		"A line a request that has ended, by time of submission: its id, how it ended (done, failed,\n"
		"cancelled, drained), view, tasks done and failed, when it was submitted, how long it waited and\n"
		"took, whether ipp-run result can print what it gave, and what it was.  The controller remembers\n"
		"the last 1000, and as many with results.\n"
		"  --json  one object a line for programs; times are seconds since 1970\n",
	.run = history,
};
