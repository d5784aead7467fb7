/* client/libipp/start.c - a cluster on this machine that stays: its beginning and its end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/libipp/discover.h"
#include "client/libipp/session.h"
#include "launcher/clock.h"
#include "launcher/local.h"

#define LOCK_POLL_MS 20
#define FORGET_MS 1000	      /* for files that do no harm where they stay */
#define STOP_TIMEOUT_MS 10000 /* a controller gives its goodbyes a second */

/* Another local cluster would hide the one that is there. */
static int check_none_runs(long long deadline_ms, struct ipp_error *err)
{
	const int left_ms = clock_left_ms(deadline_ms);
	const struct ipp_connect options = {.timeout_ms = left_ms > 0 ? (unsigned)left_ms : 1};
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

/* Beside the connection file: what engines have to say once nobody looks (gives; free()). */
static char *log_path(const char *connection_file)
{
	const size_t bytes = strlen(connection_file) - strlen(".json");
	char *path = NULL;

	return asprintf(&path, "%.*s.log", (int)bytes, connection_file) < 0 ? NULL : path;
}

static bool lies_at(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/* The log, and with it the right to change the connection file beside it: whoever starts or stops
 * a cluster here at the same time waits until this descriptor is closed (gives), milliseconds
 * unless somebody hangs.  One that was removed meanwhile is locked for nobody.  Some file systems
 * have no locks. */
static int lock(const char *log, long long deadline_ms, struct ipp_error *err)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	for (;;) {
		const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
				    0600);

		if (fd < 0)
			return ipp_fail(err, errno,
					"cannot write the engines' log %s: %m; remove it, or what "
					"is in its way",
					log);
		if ((fcntl(fd, F_OFD_SETLK, &all) == 0 || (errno != EAGAIN && errno != EACCES)) &&
		    lies_at(fd, log))
			return fd;
		close(fd);
		if (clock_left_ms(deadline_ms) == 0)
			return ipp_fail(err, ETIMEDOUT,
					"another ipp-run start or stop holds %s and does not go "
					"on: fuser names its process; end that one, and try again",
					log);
		poll(NULL, 0, LOCK_POLL_MS);
	}
}

/* Name a cluster and write its connection file, which nobody else did meanwhile.  From then on it
 * is to be found, whatever becomes of us.  Returns its socket (gives); *log is open then (gives).
 */
static int announce(struct connection *connection, const char *path, const char *log_name,
		    long long deadline_ms, int *log, struct ipp_error *err)
{
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	int fd = -1;
	int rc = connection_make_folder(path, err);

	if (rc == 0)
		rc = *log = lock(log_name, deadline_ms, err);
	if (rc >= 0)
		rc = check_none_runs(deadline_ms, err);
	if (rc == 0)
		rc = fd = local_name(connection, err);
	if (rc >= 0)
		rc = connection_save(connection, path, err);
	if (rc == 0 && ftruncate(*log, 0) < 0)
		rc = ipp_fail(err, errno, "cannot empty the engines' log %s: %m; remove it",
			      log_name);
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	fcntl(*log, F_OFD_SETLK, &all); /* engines inherit it */
	return fd;
}

/* Start the cluster with its stderr in a log: it outlives us, and who reads our stderr would wait
 * for its end. */
static int start_logged(const struct connection *connection, int unix_fd, unsigned n,
			unsigned timeout_ms, int log, struct ipp_error *err)
{
	const int ours = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int rc;

	dup2(log, STDERR_FILENO);
	rc = local_start(connection, unix_fd, n, timeout_ms, -1, err);
	if (ours < 0) {
		close(STDERR_FILENO);
		return rc;
	}
	dup2(ours, STDERR_FILENO);
	close(ours);
	return rc;
}

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

/* The file that led to a cluster which has ended, and the log when nobody had anything to say.
 * Files that stay lead nowhere, and the next start replaces them. */
static void remove_files(const char *path, const struct connection *ours)
{
	struct ipp_error ignored;
	struct stat said;
	char *log = log_path(path);
	const int fd = log && names(path, ours) ? lock(log, clock_ms() + FORGET_MS, &ignored) : -1;

	if (fd >= 0 && names(path, ours)) {
		unlink(path);
		if (fstat(fd, &said) == 0 && said.st_size == 0)
			unlink(log);
	}
	if (fd >= 0)
		close(fd);
	free(log);
}

static int start_at(const char *path, const char *log_name, unsigned n, long long deadline_ms,
		    struct ipp_error *err)
{
	struct connection connection = {0};
	int log = -1;
	int rc = announce(&connection, path, log_name, deadline_ms, &log, err);

	if (rc >= 0) {
		const int left_ms = clock_left_ms(deadline_ms);

		rc = start_logged(&connection, rc, n, left_ms > 0 ? (unsigned)left_ms : 1, log,
				  err);
		if (rc == -EPIPE)
			ipp_fail(err, EPIPE,
				 "the controller ended before the engines were ready: see what it "
				 "said in %s",
				 log_name);
		if (rc < 0)
			remove_files(path, &connection);
	}
	if (log >= 0)
		close(log);
	connection_fini(&connection);
	return rc;
}

static int start_and_save(unsigned n, long long deadline_ms, struct ipp_error *err)
{
	const char *job = getenv("SLURM_JOB_ID");
	char *path = connection_path(job && *job ? job : "local");
	char *log = path ? log_path(path) : NULL;
	int rc;

	if (log)
		rc = start_at(path, log, n, deadline_ms, err);
	else
		rc = ipp_fail(err, ENOENT,
			      "HOME is not set, so later commands could not find the cluster: set "
			      "it to a folder of yours");
	free(log);
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
	const long long deadline_ms = clock_ms() + (timeout_ms ? timeout_ms : SESSION_TIMEOUT_MS);
	int rc = discover_check_alone(true, err);

	if (rc == 0)
		rc = check_none_runs(deadline_ms, err);
	if (rc == 0)
		rc = start_and_save(n, deadline_ms, err);
	return rc;
}

/* ---- the end ---- */

static bool never(const void *client)
{
	(void)client;
	return false;
}

int ipp_stop(struct ipp_client *client, struct ipp_error *err)
{
	char *path;
	int rc;

	if (client->link)
		link_send(client->link, FRAME_STOP, NULL, NULL);
	rc = session_until(client, never, NULL, STOP_TIMEOUT_MS, err);
	if (rc == -ETIMEDOUT)
		return ipp_fail(err, ETIMEDOUT,
				"the controller on %s has not ended after %d s: is it stopped?  "
				"ps shows it, and kill -9 ends it, its engines too",
				client->connection.host, STOP_TIMEOUT_MS / 1000);
	if (!client->goodbye)
		return rc;
	/* Clusters that Slurm started have no file. */
	path = client->by_file ? connection_path(client->connection.job) : NULL;
	if (path)
		remove_files(path, &client->connection);
	free(path);
	return 0;
}
