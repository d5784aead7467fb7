#include "client/direct.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/behind.h"
#include "client/output.h"
#include "client/sink.h"

struct tally {
	struct sink *json;    /* NULL: for people */
	struct ipp_error why; /* what it failed of; code 0: it did not */
	uint64_t n_failed;
	struct ipp_result last_not_run;
};

static int done(void *owner, const struct ipp_result *result)
{
	struct tally *tally = owner;
	const struct ended ended = {.result = result};

	if (!tally->json)
		verb_print_result(result, NULL);
	else if (tally->json->add(tally->json, &ended, &tally->why) < 0)
		return 1;
	if (result->outcome != IPP_OK)
		tally->n_failed++;
	if (result->outcome == IPP_NO_COMMAND)
		tally->last_not_run = *result;
	return 0;
}

int direct_options(struct direct *direct, const struct verb *verb, int argc, char **argv)
{
	static const struct option options[] = {
		{"targets", required_argument, NULL, 't'},
		{"engines", required_argument, NULL, 'n'},
		{"task-timeout", required_argument, NULL, 'T'},
		{"after", required_argument, NULL, 'A'},
		{"after-timeout", required_argument, NULL, 'W'},
		{"async", no_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	struct ipp_error err;
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "+t:n:", options, NULL)) != -1) {
		if (c == 't')
			direct->targets = optarg;
		else if (c == 'n')
			rc = verb_number("--engines", optarg, 1, 4096, &direct->engines, &err);
		else if (c == 'T')
			rc = verb_duration("--task-timeout", optarg, &direct->task_timeout_ms,
					   &err);
		else if (c == 'A')
			rc = after_take(&direct->after, "--after", optarg, &err);
		else if (c == 'W')
			rc = verb_duration("--after-timeout", optarg, &direct->wait_ms, &err);
		else if (c == 'a')
			direct->async = true;
		else if (c == 'j')
			direct->json = true;
		else
			rc = verb_unknown_option(verb->name, argc, argv, options, &err);
	}
	if (rc == 0 && direct->async && direct->json)
		return verb_misuse(verb, "--async leaves before there are results, so that --json "
					 "makes no sense");
	return rc < 0 ? verb_fail(&err) : 0;
}

int direct_run(const struct direct *direct, const struct ipp_run *what)
{
	struct ipp_run run = *what;
	struct ipp_client *client = NULL;
	struct tally tally = {0};
	uint32_t *targets = NULL;
	char directory[VERB_DIRECTORY_BYTES];
	struct ipp_error err;
	int rc = run.function ? 0 : verb_directory(directory, &err);

	if (rc == 0)
		rc = direct->async ? behind_connect(&client, (unsigned)direct->engines, &err)
				   : verb_connect(&client, (unsigned)direct->engines, &err);
	if (rc == 0)
		rc = verb_targets(client, direct->targets, &targets, &run.n_targets, &err);
	if (rc == 0 && direct->json)
		rc = json_open(&tally.json, &err);
	if (rc == 0) {
		run.targets = targets;
		run.directory = run.function ? NULL : directory;
		run.task_timeout_ms = direct->task_timeout_ms;
		run.after = direct->after.ids;
		run.n_after = direct->after.n;
		run.after_if = direct->after.condition;
		run.wait_ms = direct->wait_ms;
		run.done = done;
		run.owner = &tally;
		rc = direct->async ? behind_submit(client, &run, &err)
				   : ipp_run(client, &run, &err);
	}
	if (tally.why.code) {
		err = tally.why;
		rc = -err.code;
	}
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	if (tally.json)
		tally.json->close(tally.json, &err);
	verb_disconnect(client);
	free(targets);
	return rc < 0 ? verb_fail(&err) : verb_exit_code(tally.n_failed, &tally.last_not_run);
}
