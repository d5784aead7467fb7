#include "client/variable_verb.h"

#include <stdlib.h>
#include <string.h>

#include "client/behind.h"

int variable_options(struct variable_verb *words, const struct verb *verb, const char *allowed,
		     int argc, char **argv)
{
	static const struct option options[] = {
		{"targets", required_argument, NULL, 't'}, {"output", required_argument, NULL, 'o'},
		{"text", no_argument, NULL, 'x'},	   {"async", no_argument, NULL, 'a'},
		{"engines", required_argument, NULL, 'n'}, {0},
	};
	struct ipp_error err;
	int c;

	*words = (struct variable_verb){.targets_text = NULL};
	while ((c = getopt_long(argc, argv, "+t:o:", options, NULL)) != -1) {
		if (c == 'n')
			return verb_misuse(verb, "--engines: variables live in engines that stay; "
						 "start some with ipp-run start -n N");
		if (c == '?') {
			verb_unknown_option(verb->name, argc, argv, options, &err);
			return verb_fail(&err);
		}
		if (!strchr(allowed, c))
			return verb_misuse(verb, "'%s' is not an option",
					   argv[optind - (optarg == argv[optind - 1] ? 2 : 1)]);
		if (c == 't')
			words->targets_text = optarg;
		else if (c == 'o')
			words->output = optarg;
		else if (c == 'a')
			words->async = true;
		else
			words->text = true;
	}
	if (words->async && words->output)
		return verb_misuse(verb, "with --async, -o is for ipp-run result: "
					 "ipp-run result -o FILE ID");
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

int variable_leave(const struct variable_verb *words, enum ipp_work what, const char *name,
		   const struct ipp_value *value, const char *path, struct ipp_error *err)
{
	const struct ipp_errand errand = {.what = what,
					  .targets = words->targets,
					  .n_targets = words->n_targets,
					  .name = name,
					  .value = value,
					  .path = path,
					  .detached = true};

	return behind_errand(words->client, &errand, err);
}

void variable_end(struct variable_verb *words)
{
	verb_disconnect(words->client);
	free(words->targets);
}
