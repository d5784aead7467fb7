#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/output.h"
#include "client/verb.h"

static int ids(int argc, char **argv)
{
	const struct ipp_connect options = {.local_engines = 0};
	const struct ipp_engine *engines;
	struct ipp_client *client = NULL;
	struct ipp_error err;
	size_t n;
	int rc;

	if (argc > 1)
		return verb_misuse(&verb_ids, "what is '%s'? it takes no words", argv[1]);
	rc = ipp_connect(&client, &options, &err);
	if (rc == 0)
		rc = ipp_engines(client, &engines, &n, &err);
	if (rc == 0) {
		for (size_t i = 0; i < n; i++)
			printf("%u host=%s pid=%u rank=%u\n", engines[i].rank, engines[i].host,
			       engines[i].pid, engines[i].rank);
		rc = output_flush(stdout, "standard output", &err);
	}
	verb_disconnect(client);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_ids = {
	.name = "ids",
	.summary = "list the engines of the cluster",
	.usage = "usage: ipp-run ids\n"
		 "One line an engine: its id, host, pid and rank.\n",
	.run = ids,
};
