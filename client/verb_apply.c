#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/output.h"
#include "client/verb.h"

struct apply {
	const uint32_t *targets;
	uint64_t n_failed;
	struct ipp_result last_not_run;
};

static int done(void *owner, const struct ipp_result *result)
{
	struct apply *apply = owner;
	char who[32];

	snprintf(who, sizeof(who), "engine %u", apply->targets[result->index]);
	verb_print_result(result, who);
	if (result->outcome != IPP_OK)
		apply->n_failed++;
	if (result->outcome == IPP_NO_COMMAND)
		apply->last_not_run = *result;
	return 0;
}

static int apply(int argc, char **argv)
{
	static const struct option options[] = {
		{"targets", required_argument, NULL, 't'},
		{"engines", required_argument, NULL, 'n'},
		{0},
	};
	const char *targets_text = NULL;
	char directory[4096], label[VERB_LABEL_BYTES];
	struct apply apply = {0};
	struct ipp_client *client = NULL;
	struct verb_words words = {0};
	struct ipp_run run = {.done = done, .owner = &apply};
	uint32_t *targets = NULL;
	uint64_t engines = 0;
	struct ipp_error err;
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "+t:n:", options, NULL)) != -1) {
		if (c == 't')
			targets_text = optarg;
		else if (c == 'n')
			rc = verb_number("--engines", optarg, 1, 4096, &engines, &err);
		else
			return verb_misuse(&verb_apply,
					   "\'%s\' is not an option, or lacks its value",
					   argv[optind - 1]);
	}
	if (rc == 0)
		rc = verb_words(&words, argc, argv, &err);
	if (rc == 0 && words.items)
		rc = ipp_fail(
			&err, 22,
			"ipp-run apply: it runs once on each engine and takes no items behind "
			":::; for items, ipp-run map");
	if (rc == 0)
		rc = verb_connect(&client, (unsigned)engines, &err);
	if (rc == 0)
		rc = verb_targets(client, targets_text, &targets, &run.n_targets, &err);
	if (rc == 0) {
		run.function = words.function;
		run.argv = words.argv;
		run.label = verb_label(&words, label);
		run.directory = getcwd(directory, sizeof(directory));
		run.targets = apply.targets = targets;
		rc = ipp_run(client, &run, &err);
	}
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	ipp_disconnect(client);
	free(targets);
	free(words.argv);
	return rc < 0 ? verb_fail(&err) : verb_exit_code(apply.n_failed, &apply.last_not_run);
}

const struct verb verb_apply = {
	.name = "apply",
	.summary = "run a command or a function once on each engine (direct view)",
	.usage = "usage: ipp-run apply [--targets LIST] [--engines N] -- COMMAND [WORD...]\n"
		 "       ipp-run apply [--targets LIST] [--engines N] MODULE.so:NAME\n"
		 "Run it once on each engine and print what each wrote, in the order of the "
		 "engines.\n"
		 "  --targets LIST  which engines: all (the default), or such as 0,2-5\n"
		 "  --engines N     where there is no cluster: start N engines on this machine\n",
	.run = apply,
};
