#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/libipp/discover.h"
#include "client/verb.h"

/* And the log, when nobody had anything to say.  Only of a cluster that a file led to: those that
 * Slurm started have none. */
static void remove_file(void)
{
	struct connection connection;
	struct ipp_error err;
	struct stat log;
	char *path;

	if (discover(&connection, &err) != DISCOVERED_FILE)
		return;
	path = connection_path(connection.job);
	if (path) {
		unlink(path);
		strcpy(path + strlen(path) - strlen(".json"), ".log");
		if (stat(path, &log) == 0 && log.st_size == 0)
			unlink(path);
	}
	free(path);
	connection_fini(&connection);
}

static int stop(int argc, char **argv)
{
	const struct ipp_connect options = {.local_engines = 0};
	struct ipp_client *client = NULL;
	struct ipp_error err;
	int rc;

	if (argc > 1)
		return verb_misuse(&verb_stop, "what is '%s'? it takes no words", argv[1]);
	rc = ipp_connect(&client, &options, &err);
	if (rc == 0)
		rc = ipp_stop(client, &err);
	if (rc == 0)
		remove_file();
	ipp_disconnect(client);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_stop = {
	.name = "stop",
	.summary = "end the cluster",
	.usage = "usage: ipp-run stop\n"
		 "End the cluster that ipp-run start, a batch script or srun started: its "
		 "controller and engines.\n",
	.run = stop,
};
