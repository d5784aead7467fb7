#include <stdio.h>

#include "client/variable_verb.h"
#include "client/output.h"

static int print(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	const struct variable_verb *words = owner;

	for (size_t i = 0; i < n; i++) {
		printf("%u %s ", words->targets[place], variables[i].name);
		verb_print_value(stdout, &variables[i].value);
	}
	return 0;
}

static int ls(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err;
	int rc = variable_options(&words, &verb_ls, "t", argc, argv);

	if (rc != 0)
		return rc;
	if (optind < argc)
		return verb_misuse(&verb_ls, "what is '%.60s'? it takes no words", argv[optind]);
	rc = variable_connect(&words, &err);
	if (rc == 0)
		rc = ipp_list(words.client, words.targets, words.n_targets, print, &words, &err);
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_ls = {
	.name = "ls",
	.summary = "list the variables of the engines",
	.usage = "usage: ipp-run ls [--targets LIST]\n"
		 "One line a variable: the engine, its name, and its value, or what an array is\n"
		 "like.\n"
		 "  --targets LIST  which engines: all (the default), or such as 0,2-5\n",
	.run = ls,
};
