#include <stdio.h>

#include "client/direct.h"

static int execute(int argc, char **argv)
{
	struct direct direct = {0};
	struct ipp_run run = {0};
	const int rc = direct_options(&direct, &verb_execute, argc, argv);
	char label[VERB_LABEL_BYTES];

	if (rc != 0)
		return rc;
	if (argc - optind != 1)
		return verb_misuse(&verb_execute, argc == optind
							  ? "there is no line to run"
							  : "give the line as one word, in quotes");
	if (!argv[optind][0])
		return verb_misuse(&verb_execute, "the line is empty");
	run.line = argv[optind];
	snprintf(label, sizeof(label), "%s", run.line);
	run.label = label;
	return direct_run(&direct, &run);
}

const struct verb verb_execute = {
	.name = "execute",
	.summary = "run a shell line in each engine's own shell, which stays (direct view)",
	.usage = "usage: ipp-run execute [--targets LIST] [--engines N] 'LINE'\n"
		 "Run LINE in the shell that each engine keeps (bash where there is one, else sh), "
		 "and print what\n"
		 "each wrote, in the order of the engines.  Directory, exports, variables and "
		 "functions last until\n"
		 "the next line; they are lost when a line ends its shell, or is cancelled or "
		 "timed out.\n" DIRECT_OPTIONS,
	.run = execute,
};
