#include "client/verb.h"

#define TIMEOUT_MS 10000 /* to be answered; then as long again, see ipp_stop() */

static int stop(int argc, char **argv)
{
	const struct ipp_connect options = {.timeout_ms = TIMEOUT_MS};
	struct ipp_client *client = NULL;
	struct ipp_error err;
	int rc;

	if (argc > 1)
		return verb_misuse(&verb_stop, "what is '%s'? it takes no words", argv[1]);
	rc = ipp_connect(&client, &options, &err);
	if (rc == 0)
		rc = ipp_stop(client, &err);
	verb_disconnect(client);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_stop = {
	.name = "stop",
	.summary = "end the cluster",
	.usage = "usage: ipp-run stop\n"
		 "End the cluster that ipp-run start, a batch script or srun started: its "
		 "controller and engines.\n"
		 "Exit code: 0, or 125 when there is none, or when its controller does not answer "
		 "for ten\n"
		 "seconds.\n",
	.run = stop,
};
