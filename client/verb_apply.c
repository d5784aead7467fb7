#include <errno.h>
#include <stdlib.h>

#include "client/direct.h"

static int apply(int argc, char **argv)
{
	struct direct direct = {0};
	struct verb_words words = {0};
	char label[VERB_LABEL_BYTES];
	struct ipp_run run = {0};
	struct ipp_error err;
	int rc = direct_options(&direct, &verb_apply, argc, argv);

	if (rc != 0)
		return rc;
	rc = verb_words(&words, argc, argv, &err);
	if (rc == 0 && words.items)
		rc = ipp_fail(
			&err, EINVAL,
			"ipp-run apply: it runs once on each engine and takes no items behind "
			":::; for items, ipp-run map");
	if (rc == 0 && words.range)
		rc = ipp_fail(&err, EINVAL,
			      "ipp-run apply: '%.100s' stands behind the function, which takes no "
			      "words",
			      words.range);
	run.function = words.function;
	run.argv = words.argv;
	run.label = rc == 0 ? verb_label(&words, label) : NULL;
	rc = rc < 0 ? verb_fail(&err) : direct_run(&direct, &run);
	free(words.argv);
	return rc;
}

const struct verb verb_apply = {
	.name = "apply",
	.summary = "run a command or a function once on each engine (direct view)",
	.usage = "usage: ipp-run apply [--targets LIST] [--engines N] -- COMMAND [WORD...]\n"
		 "       ipp-run apply [--targets LIST] [--engines N] MODULE.so:NAME\n"
		 "Run it once on each engine and print what each wrote, in the order of the "
		 "engines.\n" DIRECT_OPTIONS,
	.run = apply,
};
