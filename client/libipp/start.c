/* client/libipp/start.c - a cluster on this machine that stays: its beginning and its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/libipp/discover.h"
#include "client/libipp/session.h"
#include "launcher/local.h"

/* Another local cluster would hide the one that is there. */
static int check_none_runs(struct ipp_error *err)
{
	const struct ipp_connect options = {.local_engines = 0};
	struct ipp_client *client = NULL;
	const int rc = ipp_connect(&client, &options, err);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	ipp_disconnect(client);
	return ipp_fail(err, EEXIST,
			"a cluster is running here already: ipp-run ids lists its engines, "
			"ipp-run stop ends it");
}

/* Beside the connection file: what engines have to say once nobody looks. */
static int open_log(const char *connection_file, int flags, struct ipp_error *err)
{
	char *path = NULL;
	int fd;

	if (asprintf(&path, "%.*s.log", (int)(strlen(connection_file) - strlen(".json")),
		     connection_file) < 0)
		return ipp_fail(err, ENOMEM, "out of memory");
	fd = connection_make_folder(path, err);
	if (fd == 0) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags,
			  0600);
		if (fd < 0)
			fd = ipp_fail(err, errno, "cannot write the engines' log %s: %m", path);
	}
	free(path);
	return fd;
}

/* Who starts one here at the same time waits until this descriptor is closed (gives), and finds
 * ours.  Some file systems have no locks. */
static int lock(const char *connection_file, struct ipp_error *err)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const int fd = open_log(connection_file, 0, err);

	if (fd >= 0)
		fcntl(fd, F_OFD_SETLKW, &all);
	return fd;
}

/* Start the cluster with its stderr in a log: it outlives us, and who reads our stderr would wait
 * for its end. */
static int start_logged(struct connection *connection, unsigned n, unsigned timeout_ms, int log,
			struct ipp_error *err)
{
	const int ours = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int rc;

	dup2(log, STDERR_FILENO);
	rc = local_start(connection, n, timeout_ms, -1, err);
	if (ours < 0) {
		close(STDERR_FILENO);
		return rc;
	}
	dup2(ours, STDERR_FILENO);
	close(ours);
	return rc;
}

/* Nobody could find it: end it again. */
static void stop_unfound(const struct connection *connection)
{
	const struct ipp_connect options = {.local_engines = 0};
	struct ipp_client *client = NULL;
	struct ipp_error ignored;
	char *name = NULL;

	if (asprintf(&name, "unix:@%s", connection->unix_name) < 0)
		return;
	setenv("IPP_CONNECT", name, 1);
	if (ipp_connect(&client, &options, &ignored) == 0)
		ipp_stop(client, &ignored);
	ipp_disconnect(client);
	free(name);
}

static int start_and_save(unsigned n, unsigned timeout_ms, struct ipp_error *err)
{
	const char *job = getenv("SLURM_JOB_ID");
	char *path = connection_path(job && *job ? job : "local");
	struct connection connection = {0};
	int locked, log, rc;

	if (!path)
		return ipp_fail(err, ENOENT,
				"HOME is not set, so later commands could not find the cluster");
	rc = locked = lock(path, err);
	if (rc >= 0)
		rc = check_none_runs(err); /* that was started meanwhile */
	if (rc >= 0)
		rc = log = open_log(path, O_TRUNC, err);
	if (rc >= 0) {
		rc = start_logged(&connection, n, timeout_ms, log, err);
		close(log);
	}
	if (rc == 0) {
		rc = connection_save(&connection, path, err);
		if (rc < 0)
			stop_unfound(&connection);
	}
	if (locked >= 0)
		close(locked);
	connection_fini(&connection);
	free(path);
	return rc;
}

unsigned ipp_local_cpus(void)
{
	return local_cpus();
}

int ipp_start(unsigned n_engines, unsigned timeout_ms, struct ipp_error *err)
{
	const unsigned n = n_engines == IPP_ENGINE_PER_CPU ? local_cpus() : n_engines;
	int rc = discover_check_alone(true, err);

	if (rc == 0)
		rc = check_none_runs(err);
	if (rc == 0)
		rc = start_and_save(n, timeout_ms ? timeout_ms : SESSION_TIMEOUT_MS, err);
	return rc;
}

/* ---- the end ---- */

/* Another cluster may have been started as soon as this one ended. */
static bool names(const char *path, const struct connection *ours)
{
	struct connection found = {0};
	struct ipp_error ignored;
	const bool same = connection_from_file(&found, path, &ignored) == 0 &&
			  strcmp(found.unix_name, ours->unix_name) == 0;

	connection_fini(&found);
	return same;
}

/* The file that led to it, and the log when nobody had anything to say.  Clusters that Slurm
 * started have none. */
static void remove_file(const struct ipp_client *client)
{
	struct stat log;
	char *path = client->by_file ? connection_path(client->connection.job) : NULL;

	if (!path)
		return;
	if (!names(path, &client->connection)) {
		free(path);
		return;
	}
	unlink(path);
	strcpy(path + strlen(path) - strlen(".json"), ".log");
	if (stat(path, &log) == 0 && log.st_size == 0)
		unlink(path);
	free(path);
}

static bool take_nothing(void *waiter, const struct frame *frame)
{
	(void)waiter;
	(void)frame;
	return true;
}

int ipp_stop(struct ipp_client *client, struct ipp_error *err)
{
	int rc;

	if (client->link)
		link_send(client->link, FRAME_STOP, NULL, NULL);
	rc = session_wait(client, take_nothing, NULL, client, true, err);
	if (!client->goodbye)
		return rc;
	remove_file(client);
	return 0;
}
