#include <string.h>

#include "client/argument.h"
#include "client/variable_verb.h"

static int push_word(const struct variable_verb *words, char *word, struct ipp_error *err)
{
	struct ipp_argument given;
	const int rc = argument_read(&given, word, words->text, err);

	if (rc < 0)
		return rc;
	if (words->async)
		return variable_leave(words, IPP_PUSH, given.name, &given.value, given.file, err);
	if (given.file)
		return ipp_push_file(words->client, words->targets, words->n_targets, given.name,
				     given.file, err);
	return ipp_push(words->client, words->targets, words->n_targets, given.name, &given.value,
			err);
}

static int push(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err;
	int rc = variable_options(&words, &verb_push, "txa", argc, argv);

	if (rc != 0)
		return rc;
	if (optind == argc)
		return verb_misuse(&verb_push, "push what? say NAME=VALUE or NAME=@FILE");
	for (int i = optind; i < argc; i++)
		if (!strchr(argv[i], '='))
			return verb_misuse(&verb_push,
					   "'%.60s' has no =: say NAME=VALUE or NAME=@FILE",
					   argv[i]);
	rc = variable_connect(&words, &err);
	for (int i = optind; rc == 0 && i < argc; i++)
		rc = push_word(&words, argv[i], &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_push = {
	.name = "push",
	.summary = "set variables of the engines",
	.usage =
		"usage: ipp-run push [--targets LIST] [--async] [--text] NAME=VALUE|NAME=@FILE...\n"
		"Set variables of the engines; functions see them, pull reads them.\n"
		"  NAME=VALUE      an integer of 64 bits, a real number such as 1.5e3, inf or\n"
		"                  nan, or else a text\n"
		"  NAME=@FILE.npy  the array in that file\n"
		"  NAME=@FILE      the bytes of any other file, an array of |u1\n"
		"  --text          VALUE is a text, whatever it looks like\n"
		"  --targets LIST  which engines: all (the default), or such as 0,2-5\n" VARIABLE_ASYNC
		"A name has letters, digits and _ . - and begins with a letter or _.\n",
	.run = push,
};
