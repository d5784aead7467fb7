#include <string.h>

#include "client/variable_verb.h"

static int scatter(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err;
	char *file = NULL;
	int rc = variable_options(&words, &verb_scatter, "ta", argc, argv);

	if (rc != 0)
		return rc;
	if (argc - optind == 1)
		file = strstr(argv[optind], "=@");
	if (!file)
		return verb_misuse(&verb_scatter, "scatter what? say NAME=@FILE.npy");
	*file = '\0';
	rc = variable_connect(&words, &err);
	if (rc == 0 && words.async)
		rc = variable_leave(&words, IPP_SCATTER, argv[optind], NULL, file + 2, &err);
	else if (rc == 0)
		rc = ipp_scatter_file(words.client, words.targets, words.n_targets, argv[optind],
				      file + 2, &err);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_scatter = {
	.name = "scatter",
	.summary = "cut an array into a share for each engine",
	.usage =
		"usage: ipp-run scatter [--targets LIST] [--async] NAME=@FILE.npy\n"
		"Cut the array along its first axis, as evenly as np.array_split does, and set\n"
		"variable NAME of each engine to its share.  The bytes of a file not named *.npy\n"
		"are an array of |u1.\n"
		"  --targets LIST  which engines: all (the default), or such as 0,2-5\n" VARIABLE_ASYNC,
	.run = scatter,
};
