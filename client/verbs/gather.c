#include "client/variable_output.h"
#include "client/variable_verb.h"

struct from {
	const struct variable_verb *words;
	const char *name;
};

static int each(const void *what, int (*begin)(void *owner, const struct ipp_value *whole),
		int (*take)(void *owner, size_t place, const struct ipp_value *part), void *owner,
		struct ipp_error *err)
{
	const struct from *from = what;

	return ipp_gather_parts(from->words->client, from->words->targets, from->words->n_targets,
				from->name, begin, take, owner, err);
}

static int whole(const void *what, struct ipp_gathered *out, struct ipp_error *err)
{
	const struct from *from = what;

	return ipp_gather(from->words->client, from->words->targets, from->words->n_targets,
			  from->name, out, err);
}

static int gather(int argc, char **argv)
{
	struct variable_verb words;
	struct from from = {.words = &words};
	const struct parts parts = {.each = each, .whole = whole, .from = &from};
	struct ipp_error err = {0};
	int rc = variable_options(&words, &verb_gather, "toa", argc, argv);

	if (rc != 0)
		return rc;
	if (argc - optind > 1 && argv[optind + 1][0] == '-')
		return verb_misuse(&verb_gather, "options such as %.20s go before the name",
				   argv[optind + 1]);
	if (argc - optind != 1)
		return verb_misuse(&verb_gather, "gather what? say the name of one variable");
	from.name = argv[optind];
	rc = variable_connect(&words, &err);
	if (rc == 0 && words.async)
		rc = variable_leave(&words, IPP_GATHER, from.name, NULL, NULL, &err);
	else if (rc == 0)
		rc = variable_output_joined(words.output, &parts, &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_gather = {
	.name = "gather",
	.summary = "join what scatter cut, or functions stored, along the first axis",
	.usage =
		"usage: ipp-run gather [--targets LIST] [--async] [-o|--output FILE] NAME\n"
		"Join the arrays that the engines have as NAME along their first axis, in the\n"
		"order of the engines; without -o, say what the whole is like, and up to\n"
		"64 KiB print it.\n"
		"  -o FILE.npy     write it there as np.save would\n"
		"  -o FILE         write its bytes as they are\n"
		"  --targets LIST  which engines: all (the default), or such as 0,2-5\n" VARIABLE_ASYNC,
	.run = gather,
};
