#include <stdlib.h>
#include <string.h>

#include "client/variable_verb.h"
#include "client/output.h"
#include "client/value_file.h"
#include "proto/npy.h"

struct pull {
	const struct variable_verb *words;
	struct ipp_error *err;
};

/* FILE.npy of engine 3 is FILE.3.npy where there are several (gives; free()). */
static char *file_of(const struct variable_verb *words, size_t place)
{
	const char *path = words->output;
	const char *ending = npy_is_named(path) ? path + strlen(path) - 4 : path + strlen(path);
	char *out;

	if (words->n_targets == 1)
		return strdup(path);
	if (asprintf(&out, "%.*s.%u%s", (int)(ending - path), path, words->targets[place], ending) <
	    0)
		return NULL;
	return out;
}

static int take(void *owner, size_t place, const struct ipp_value *value)
{
	struct pull *pull = owner;
	char *path;
	int rc;

	if (!pull->words->output) {
		verb_print_value(stdout, value);
		return output_flush(stdout, "standard output", pull->err);
	}
	path = file_of(pull->words, place);
	rc = path ? value_file_save(path, value, pull->err)
		  : ipp_fail(pull->err, ENOMEM, "ipp-run: out of memory");
	free(path);
	return rc;
}

static int check_files(const struct variable_verb *words, struct ipp_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < words->n_targets; i++) {
		char *path = file_of(words, i);

		rc = path ? output_check(path, err)
			  : ipp_fail(err, ENOMEM, "ipp-run: out of memory");
		free(path);
	}
	return rc;
}

static int pull(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err;
	struct pull pull = {.words = &words, .err = &err};
	int rc = variable_options(&words, &verb_pull, "to", argc, argv);

	if (rc != 0)
		return rc;
	if (argc - optind > 1 && argv[optind + 1][0] == '-')
		return verb_misuse(&verb_pull, "options such as %.20s go before the name",
				   argv[optind + 1]);
	if (argc - optind != 1)
		return verb_misuse(&verb_pull, "pull what? say the name of one variable");
	rc = variable_connect(&words, &err);
	if (rc == 0 && words.output)
		rc = check_files(&words, &err);
	if (rc == 0)
		rc = ipp_pull(words.client, words.targets, words.n_targets, argv[optind], take,
			      &pull, &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_pull = {
	.name = "pull",
	.summary = "read a variable of each engine",
	.usage =
		"usage: ipp-run pull [--targets LIST] [-o FILE] NAME\n"
		"Print variable NAME of each engine, in the order of the engines.\n"
		"  -o FILE.npy     write it there as np.save would, from several engines to\n"
		"                  FILE.0.npy, FILE.1.npy ... by the engine's number\n"
		"  -o FILE         the same for its bytes as they are: FILE, or FILE.0, FILE.1 ...\n"
		"  --targets LIST  which engines: all (the default), or such as 0,2-5\n",
	.run = pull,
};
