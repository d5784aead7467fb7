#include <errno.h>

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
			      "ipp-run apply: '%.100s' behind the function is no argument "
			      "NAME=VALUE; see ipp-run apply --help",
			      words.range);
	run.function = words.function;
	run.arguments = words.arguments;
	run.n_arguments = words.n_arguments;
	run.argv = words.argv;
	run.label = rc == 0 ? verb_label(&words, label) : NULL;
	rc = rc < 0 ? verb_fail(&err) : direct_run(&direct, &run);
	verb_words_fini(&words);
	return rc;
}

const struct verb verb_apply = {
	.name = "apply",
	.summary = "run a command or a function once on each engine (direct view)",
	.usage =
		"usage: ipp-run apply [--targets LIST] [--engines N] -- COMMAND [WORD...]\n"
		"       ipp-run apply [--targets LIST] [--engines N] MODULE.so:NAME [ARGUMENT=VALUE...]\n"
		"Run it once on each engine and print what each wrote, in the order of the "
		"engines.  A function gets its arguments as push takes values: ARGUMENT=VALUE, "
		"ARGUMENT=@FILE.npy\n"
		"or ARGUMENT=@FILE.\n" DIRECT_OPTIONS,
	.run = apply,
};
