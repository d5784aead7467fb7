#include "client/variable_verb.h"

static int rm(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err;
	int rc = variable_options(&words, &verb_rm, "ta", argc, argv);

	if (rc != 0)
		return rc;
	if (optind == argc)
		return verb_misuse(&verb_rm, "remove what? say the names of variables");
	rc = variable_connect(&words, &err);
	for (int i = optind; rc == 0 && i < argc; i++)
		rc = words.async ? variable_leave(&words, IPP_REMOVE, argv[i], NULL, NULL, &err)
				 : ipp_remove(words.client, words.targets, words.n_targets, argv[i],
					      &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_rm = {
	.name = "rm",
	.summary = "remove variables of the engines",
	.usage =
		"usage: ipp-run rm [--targets LIST] [--async] NAME...\n"
		"Remove variables of the engines.\n"
		"  --targets LIST  which engines: all (the default), or such as 0,2-5\n" VARIABLE_ASYNC,
	.run = rm,
};
