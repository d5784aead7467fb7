#include "client/variable_output.h"
#include "client/variable_verb.h"

struct pull {
	const struct variable_verb *words;
	struct variable_output output;
	struct ipp_error *err;
};

static int take(void *owner, size_t place, const struct ipp_value *value)
{
	const struct pull *pull = owner;

	return variable_output_value(&pull->output, pull->words->targets[place], value, pull->err);
}

static int pull(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err;
	struct pull pull = {.words = &words, .err = &err};
	int rc = variable_options(&words, &verb_pull, "toa", argc, argv);

	if (rc != 0)
		return rc;
	if (argc - optind > 1 && argv[optind + 1][0] == '-')
		return verb_misuse(&verb_pull, "options such as %.20s go before the name",
				   argv[optind + 1]);
	if (argc - optind != 1)
		return verb_misuse(&verb_pull, "pull what? say the name of one variable");
	rc = variable_connect(&words, &err);
	pull.output = (struct variable_output){.path = words.output, .n = words.n_targets};
	if (rc == 0)
		rc = variable_output_check(&pull.output, words.targets, &err);
	if (rc == 0 && words.async)
		rc = variable_leave(&words, IPP_PULL, argv[optind], NULL, NULL, &err);
	else if (rc == 0)
		rc = ipp_pull(words.client, words.targets, words.n_targets, argv[optind], take,
			      &pull, &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_pull = {
	.name = "pull",
	.summary = "read a variable of each engine",
	.usage =
		"usage: ipp-run pull [--targets LIST] [--async] [-o|--output FILE] NAME\n"
		"Print variable NAME of each engine, in the order of the engines: of an array what it is\n"
		"like and its numbers, of more than 1000 the first and last ones.\n"
		"  -o FILE.npy     write it there as np.save would, from several engines to\n"
		"                  FILE.0.npy, FILE.1.npy ... by the engine's number\n"
		"  -o FILE         the same for its bytes as they are: FILE, or FILE.0, FILE.1 ...\n"
		"  --targets LIST  which engines: all (the default), or such as 0,2-5\n" VARIABLE_ASYNC,
	.run = pull,
};
