#include "client/output.h"
#include "client/variable_output.h"
#include "client/variable_verb.h"

static int print(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	const struct variable_verb *words = owner;

	variable_output_list(words->targets[place], variables, n);
	return 0;
}

static int ls(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err;
	int rc = variable_options(&words, &verb_ls, "ta", argc, argv);

	if (rc != 0)
		return rc;
	if (optind < argc)
		return verb_misuse(&verb_ls, "what is '%.60s'? it takes no words", argv[optind]);
	rc = variable_connect(&words, &err);
	if (rc == 0 && words.async)
		rc = variable_leave(&words, IPP_LIST, NULL, NULL, NULL, &err);
	else if (rc == 0)
		rc = ipp_list(words.client, words.targets, words.n_targets, print, &words, &err);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_ls = {
	.name = "ls",
	.summary = "list the variables of the engines",
	.usage =
		"usage: ipp-run ls [--targets LIST] [--async]\n"
		"One line a variable: the engine, its name, and its value, or what an array is\n"
		"like; a text as far as it fits, with \\n for a newline, and \\t \\r \\\\ \\xHH.\n"
		"  --targets LIST  which engines: all (the default), or such as 0,2-5\n" VARIABLE_ASYNC,
	.run = ls,
};
