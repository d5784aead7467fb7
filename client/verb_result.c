#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/output.h"
#include "client/verb.h"

struct printed {
	bool first_failure_ends; /* as a map does without --keep-going */
	uint64_t n_failed;
	struct ipp_result last_not_run;
};

static int print(void *owner, const struct ipp_result *result)
{
	struct printed *printed = owner;

	if (printed->first_failure_ends && printed->n_failed > 0)
		return 0;
	verb_print_result(result, "task");
	if (result->outcome != IPP_OK)
		printed->n_failed++;
	if (result->outcome == IPP_NO_COMMAND)
		printed->last_not_run = *result;
	return 0;
}

/* How it was submitted. */
static int ask(struct ipp_client *client, uint64_t id, struct printed *printed,
	       struct ipp_error *err)
{
	const struct ipp_fetch how_is_it = {.now = true};
	struct ipp_fetched fetched = {0};
	const int rc = ipp_fetch(client, id, &how_is_it, &fetched, err);

	printed->first_failure_ends = fetched.first_failure_ends;
	return rc == -ECANCELED ? 0 : rc; /* it ended early: to be said after its results */
}

static void say_running(const char *id, const struct ipp_fetched *fetched)
{
	fflush(stdout);
	fprintf(stderr, "ipp-run: request %s is not at its end: %llu of its tasks are done\n", id,
		(unsigned long long)fetched->done);
}

static int result(int argc, char **argv)
{
	static const struct option options[] = {
		{"no-wait", no_argument, NULL, 'w'},
		{"unordered", no_argument, NULL, 'u'},
		{"forget", no_argument, NULL, 'f'},
		{0},
	};
	const struct ipp_connect nowhere = {.local_engines = 0};
	struct printed printed = {0};
	struct ipp_fetch fetch = {.done = print, .owner = &printed};
	struct ipp_fetched fetched = {0};
	struct ipp_client *client = NULL;
	struct ipp_error err;
	uint64_t id = 0;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?') {
			verb_unknown_option("result", argc, argv, options, &err);
			return verb_fail(&err);
		}
		fetch.now |= c == 'w';
		fetch.unordered |= c == 'u';
		fetch.forget |= c == 'f';
	}
	if (optind + 1 != argc)
		return verb_misuse(&verb_result, "which request? give one id");
	rc = verb_request_id(argv[optind], &id, &err);
	if (rc == 0)
		rc = ipp_connect(&client, &nowhere, &err);
	if (rc == 0 && !fetch.unordered)
		rc = ask(client, id, &printed, &err);
	if (rc == 0)
		rc = ipp_fetch(client, id, &fetch, &fetched, &err);
	if (rc == 0 && fetched.running)
		say_running(argv[optind], &fetched);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	ipp_disconnect(client);
	return rc < 0 ? verb_fail(&err) : verb_exit_code(printed.n_failed, &printed.last_not_run);
}

const struct verb verb_result = {
	.name = "result",
	.summary = "print what a request gave that was submitted with --async",
	.usage =
		"usage: ipp-run result [--no-wait] [--unordered] [--forget] ID\n"
		"Wait for a request that was submitted with --async and print what its tasks gave, "
		"in the order of\n"
		"the items or engines; the exit code is that of the map or apply.  Anyone who "
		"can reach the\n"
		"cluster may do so, and again.\n"
		"  --no-wait    print what there is, and do not wait for the rest\n"
		"  --unordered  print results as they come\n"
		"  --forget     the controller may forget the results then\n",
	.run = result,
};
