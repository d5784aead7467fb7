#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/errand_result.h"
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

/* How it was submitted, and whether it has ended. */
static int ask(struct ipp_client *client, uint64_t id, struct ipp_fetched *fetched,
	       struct ipp_error *err)
{
	const struct ipp_fetch how_is_it = {.now = true};
	const int rc = ipp_fetch(client, id, &how_is_it, fetched, err);

	/* It ended early: to be said after its results. */
	return rc == -ECANCELED || rc == -ETIME ? 0 : rc;
}

static void say_running(const char *id, const struct ipp_fetched *fetched)
{
	fflush(stdout);
	fprintf(stderr, "ipp-run: request %s is not at its end: %llu of its tasks are done\n", id,
		(unsigned long long)fetched->done);
}

/* Of tasks, as they come or when all are there; an exit code. */
static int show_tasks(struct ipp_client *client, uint64_t id, const struct ipp_fetch *fetch,
		      const struct ipp_fetched *how, struct ipp_fetched *fetched)
{
	struct printed printed = {.first_failure_ends = how->first_failure_ends &&
							!fetch->unordered};
	struct ipp_fetch printing = *fetch;
	struct ipp_error err;
	int rc;

	printing.done = print;
	printing.owner = &printed;
	rc = ipp_fetch(client, id, &printing, fetched, &err);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	return rc < 0 ? verb_fail(&err) : verb_exit_code(printed.n_failed, &printed.last_not_run);
}

/* Of what was done with a variable, once it has been done; an exit code. */
static int show_errand(struct ipp_client *client, uint64_t id, const struct ipp_fetch *fetch,
		       struct ipp_fetched *fetched, const char *path)
{
	const struct ipp_fetch the_end = {.now = fetch->now};
	const struct ipp_fetch forget = {.now = true, .forget = true};
	struct ipp_error err;
	int rc = ipp_fetch(client, id, &the_end, fetched, &err);

	if (rc == 0 && fetched->running)
		return 0;
	if (rc == 0)
		rc = errand_result(client, id, fetched, path, &err);
	if (rc == 0 && fetch->forget)
		rc = ipp_fetch(client, id, &forget, fetched, &err);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	return rc < 0 ? verb_fail(&err) : 0;
}

static int result(int argc, char **argv)
{
	static const struct option options[] = {
		{"no-wait", no_argument, NULL, 'w'},
		{"unordered", no_argument, NULL, 'u'},
		{"forget", no_argument, NULL, 'f'},
		{"output", required_argument, NULL, 'o'},
		{0},
	};
	const struct ipp_connect nowhere = {.local_engines = 0};
	struct ipp_fetch fetch = {0};
	struct ipp_fetched how = {0}, fetched = {0};
	struct ipp_client *client = NULL;
	struct ipp_error err;
	const char *path = NULL;
	uint64_t id = 0;
	int c, rc, code;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == '?') {
			verb_unknown_option("result", argc, argv, options, &err);
			return verb_fail(&err);
		}
		fetch.now |= c == 'w';
		fetch.unordered |= c == 'u';
		fetch.forget |= c == 'f';
		if (c == 'o')
			path = optarg;
	}
	if (optind + 1 != argc)
		return verb_misuse(&verb_result, "which request? give one id");
	rc = verb_request_id(argv[optind], &id, &err);
	if (rc == 0)
		rc = ipp_connect(&client, &nowhere, &err);
	if (rc == 0)
		rc = ask(client, id, &how, &err);
	if (rc == 0 && path && how.work == IPP_RUN)
		rc = ipp_fail(&err, EINVAL,
			      "-o %.100s: only a pull or a gather gives something to "
			      "write there",
			      path);
	if (rc < 0)
		code = verb_fail(&err);
	else if (how.work == IPP_RUN)
		code = show_tasks(client, id, &fetch, &how, &fetched);
	else
		code = show_errand(client, id, &fetch, &fetched, path);
	verb_disconnect(client);
	if (!fetched.running)
		return code;
	say_running(argv[optind], &fetched);
	return EXIT_UNFINISHED;
}

const struct verb verb_result = {
	.name = "result",
	.summary = "print what a request gave that was submitted with --async",
	.usage =
		"usage: ipp-run result [--no-wait] [--unordered] [--forget] [-o|--output FILE] ID\n"
		"Wait for a request that was submitted with --async and print what its tasks gave, "
		"in the order of\n"
		"the items or engines, or say what push, pull, scatter, gather, ls or rm would have "
		"said; the exit\n"
		"code is that of the verb.  Anyone who can reach the cluster may do so, and again.\n"
		"  -o FILE      of a pull or a gather: write it there, as these verbs do\n"
		"  --no-wait    print what there is, and do not wait for the rest; exit code 121 if "
		"there is a rest\n"
		"  --unordered  print results as they come\n"
		"  --forget     the controller may forget the results then\n",
	.run = result,
};
