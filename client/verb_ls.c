#include <stdio.h>
#include <string.h>

#include "client/variable_verb.h"
#include "client/output.h"

/* On one line, and without what would upset a terminal. */
static void print_text(const char *text)
{
	static const char special[] = "\n\t\r\\", letters[] = "ntr\\";

	for (; *text; text++) {
		const char *found = strchr(special, *text);

		if (found)
			printf("\\%c", letters[found - special]);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			printf("\\x%02x", (unsigned char)*text);
		else
			putchar(*text);
	}
	putchar('\n');
}

static int print(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	const struct variable_verb *words = owner;

	for (size_t i = 0; i < n; i++) {
		printf("%u %s ", words->targets[place], variables[i].name);
		if (variables[i].value.kind == IPP_TEXT)
			print_text(variables[i].value.text);
		else
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
		 "like; a text as far as it fits, with \\n for a newline, and \\t \\r \\\\ \\xHH.\n"
		 "  --targets LIST  which engines: all (the default), or such as 0,2-5\n",
	.run = ls,
};
