#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/journal/journal.h"
#include "client/output.h"
#include "client/verb.h"

static void print_columns(bool *printed)
{
	if (!*printed)
		puts("Index\tEngine\tHost\tStarttime\tRuntime\tReceive");
	*printed = true;
}

static void print(void *owner, const struct ipp_result *result)
{
	print_columns(owner);
	printf("%llu\t%u\t%s\t%.3f\t%.6f\t%zu\n", (unsigned long long)result->index, result->engine,
	       result->host, (double)result->started_us / 1e6, (double)result->elapsed_us / 1e6,
	       result->out_bytes + result->err_bytes);
}

static int journal(int argc, char **argv)
{
	static const struct option none[] = {{0}};
	bool printed = false;
	struct ipp_error err;
	int rc;

	if (getopt_long(argc, argv, "", none, NULL) != -1) {
		verb_unknown_option("journal", argc, argv, none, &err);
		return verb_fail(&err);
	}
	if (optind + 1 != argc)
		return verb_misuse(&verb_journal, "which one? give a file");
	rc = journal_look(argv[optind], print, &printed, &err);
	if (rc == 0) {
		print_columns(&printed);
		rc = output_flush(stdout, "standard output", &err);
	}
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_journal = {
	.name = "journal",
	.summary = "list what the file of map --journal has",
	.usage = "usage: ipp-run journal FILE\n"
		 "List the results in the file of --journal, in the order in which they came, a "
		 "line each: the\n"
		 "item's number from 0 on, engine, host, start (seconds since 1970), seconds that "
		 "it took, and\n"
		 "bytes of stdout and stderr.\n",
	.run = journal,
};
