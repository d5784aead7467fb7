#include "client/variable_verb.h"

#include <stdlib.h>
#include <string.h>

int variable_options(struct variable_verb *words, const struct verb *verb, const char *allowed,
		     int argc, char **argv)
{
	static const struct option options[] = {
		{"targets", required_argument, NULL, 't'},
		{"output", required_argument, NULL, 'o'},
		{"text", no_argument, NULL, 'x'},
		{"engines", required_argument, NULL, 'n'},
		{0},
	};
	int c;

	*words = (struct variable_verb){.targets_text = NULL};
	while ((c = getopt_long(argc, argv, "+t:o:", options, NULL)) != -1) {
		if (c == 'n')
			return verb_misuse(verb, "--engines: variables live in engines that stay; "
						 "start some with ipp-run start -n N");
		if (c == '?' || !strchr(allowed, c))
			return verb_misuse(verb, "'%s' is not an option, or lacks its value",
					   argv[optind - 1]);
		if (c == 't')
			words->targets_text = optarg;
		else if (c == 'o')
			words->output = optarg;
		else
			words->text = true;
	}
	return 0;
}

int variable_connect(struct variable_verb *words, struct ipp_error *err)
{
	int rc = verb_connect_existing(&words->client, err);

	if (rc == 0)
		rc = verb_targets(words->client, words->targets_text, &words->targets,
				  &words->n_targets, err);
	return rc;
}

void variable_end(struct variable_verb *words)
{
	ipp_disconnect(words->client);
	free(words->targets);
}
