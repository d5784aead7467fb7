#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/lines.h"
#include "client/output.h"
#include "client/verb.h"

static void print_table(const struct ipp_status *status)
{
	const int host_width = line_host_width(status);
	char line[LINE_BYTES];

	line_of_engines(line, host_width);
	puts(line);
	for (size_t i = 0; i < status->n_engines; i++) {
		line_of_engine(line, host_width, &status->engines[i],
			       line_busy(&status->engines[i]));
		puts(line);
	}
}

/* One object, an array of engines in it. */
static int print_json(const struct ipp_status *status, struct ipp_error *err)
{
	json_t *engines = json_array();
	json_t *root;

	for (size_t i = 0; i < status->n_engines; i++) {
		const struct ipp_engine_status *one = &status->engines[i];

		json_array_append_new(
			engines,
			json_pack(
				"{s:i, s:s, s:i, s:i, s:s, s:I, s:I, s:I, s:f, s:f, s:I, s:I}",
				"engine", (int)one->rank, "host", one->host, "pid", (int)one->pid,
				"rank", (int)one->rank, "state", one->state, "done",
				(json_int_t)one->done, "failed", (json_int_t)one->failed, "queue",
				(json_int_t)one->queued, "busy_seconds", (double)one->busy_us / 1e6,
				"up_seconds", (double)one->up_us / 1e6, "memory_bytes",
				(json_int_t)one->memory_bytes, "losses", (json_int_t)one->losses));
	}
	root = json_pack("{s:o, s:I, s:I}", "engines", engines, "clients",
			 (json_int_t)status->clients, "pending", (json_int_t)status->pending);
	if (!root)
		return ipp_fail(err, ENOMEM, "ipp-run status: out of memory");
	json_dumpf(root, stdout, JSON_COMPACT); /* who calls looks at what was printed */
	json_decref(root);
	putchar('\n');
	return 0;
}

static int status(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	const struct ipp_connect nowhere = {.local_engines = 0};
	const struct ipp_status *found;
	struct ipp_client *client = NULL;
	struct ipp_error err;
	bool json = false;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j') {
			verb_unknown_option("status", argc, argv, options, &err);
			return verb_fail(&err);
		}
		json = true;
	}
	if (optind < argc)
		return verb_misuse(&verb_status, "what is '%s'? it takes no words", argv[optind]);
	rc = ipp_connect(&client, &nowhere, &err);
	if (rc == 0)
		rc = ipp_status(client, &found, &err);
	if (rc == 0 && json)
		rc = print_json(found, &err);
	else if (rc == 0)
		print_table(found);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	verb_disconnect(client);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_status = {
	.name = "status",
	.summary = "what each engine is doing",
	.usage = "usage: ipp-run status [--json]\n"
		 "A line an engine: host, rank, state (idle, busy, silent: it did not answer for a "
		 "second, or\n"
		 "lost), tasks done and failed, tasks it has before it, the share of its time in "
		 "tasks, the memory\n"
		 "of guard, engine and worker, and how often it was lost.\n"
		 "  --json  one object for programs\n",
	.run = status,
};
