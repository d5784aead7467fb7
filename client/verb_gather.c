#include <stdlib.h>
#include <string.h>

#include "client/variable_verb.h"
#include "client/output.h"
#include "client/value_file.h"

struct gather {
	struct output *output; /* NULL: only say what it is like */
	struct ipp_error *err;
	bool fortran; /* it has to be put together in memory */
	bool described;
};

static int begin(void *owner, const struct ipp_value *whole)
{
	struct gather *gather = owner;

	if (!gather->output) {
		verb_print_value(stdout, whole);
		gather->described = true;
		return -ECANCELED;
	}
	gather->fortran = whole->fortran_order;
	return gather->fortran ? -ECANCELED : value_file_begin(gather->output, whole, gather->err);
}

static int take(void *owner, size_t place, const struct ipp_value *part)
{
	const struct gather *gather = owner;

	(void)place;
	return value_file_add(gather->output, part->data, part->bytes, gather->err);
}

static int gather_in_memory(const struct variable_verb *words, const char *name,
			    struct output *output, struct ipp_error *err)
{
	struct ipp_gathered gathered;
	int rc = ipp_gather(words->client, words->targets, words->n_targets, name, &gathered, err);

	if (rc < 0)
		return rc;
	rc = value_file_begin(output, &gathered.value, err);
	if (rc == 0)
		rc = value_file_add(output, gathered.value.data, gathered.value.bytes, err);
	ipp_gathered_free(&gathered);
	return rc;
}

static int gather(int argc, char **argv)
{
	struct variable_verb words;
	struct ipp_error err = {0};
	struct output output = {.file = NULL};
	struct gather gather = {.err = &err};
	int rc = variable_options(&words, &verb_gather, "to", argc, argv);

	if (rc != 0)
		return rc;
	if (argc - optind > 1 && argv[optind + 1][0] == '-')
		return verb_misuse(&verb_gather, "options such as %.20s go before the name",
				   argv[optind + 1]);
	if (argc - optind != 1)
		return verb_misuse(&verb_gather, "gather what? say the name of one variable");
	rc = variable_connect(&words, &err);
	if (rc == 0 && words.output) {
		rc = output_open(&output, words.output, &err);
		gather.output = rc == 0 ? &output : NULL;
	}
	if (rc == 0)
		rc = ipp_gather_parts(words.client, words.targets, words.n_targets, argv[optind],
				      begin, take, &gather, &err);
	if (gather.fortran)
		rc = gather_in_memory(&words, argv[optind], &output, &err);
	if (rc == 0 && gather.output)
		rc = output_commit(&output, &err);
	if (gather.described)
		rc = output_flush(stdout, "standard output", &err);
	output_fini(&output);
	variable_end(&words);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_gather = {
	.name = "gather",
	.summary = "join what scatter cut, or functions stored, along the first axis",
	.usage = "usage: ipp-run gather [--targets LIST] [-o FILE] NAME\n"
		 "Join the arrays that the engines have as NAME along their first axis, in the\n"
		 "order of the engines; without -o, say what the whole is like.\n"
		 "  -o FILE.npy     write it there as np.save would\n"
		 "  -o FILE         write its bytes as they are\n"
		 "  --targets LIST  which engines: all (the default), or such as 0,2-5\n",
	.run = gather,
};
