#include "launcher/local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launcher/start.h"
#include "proto/error.h"
#include "proto/unix_socket.h"

/* The controller names who is missing at its own deadline: let it speak first. */
#define GRACE_MS 5000

static int describe(struct connection *connection, struct ipp_error *err)
{
	const char *job = getenv("SLURM_JOB_ID");
	char host[HOST_NAME_MAX + 1], name[CONNECTION_NAME_BYTES];

	if (!job || !*job)
		job = "local";
	if (gethostname(host, sizeof(host)) < 0)
		strcpy(host, "localhost");
	connection_name(name, job);
	connection->job = strdup(job);
	connection->host = strdup(host);
	connection->unix_name = strdup(name);
	if (!connection->job || !connection->host || !connection->unix_name)
		return ipp_fail(err, ENOMEM, "cannot start local engines: %m");
	return 0;
}

static int start_all(const struct connection *connection, unsigned n_engines, unsigned timeout_ms,
		     int owner_pidfd, int unix_fd, int ready[2], struct ipp_error *err)
{
	const struct start_controller start = {
		.connection = connection,
		.n_engines = n_engines,
		.timeout_ms = timeout_ms,
		.unix_fd = unix_fd,
		.owner_fd = owner_pidfd,
		.ready_fd = ready[1],
	};
	const int controller = controller_start(&start, err);
	int rc = 0;

	if (controller < 0)
		return controller;
	close(ready[1]);
	ready[1] = -1;
	for (unsigned rank = 0; rank < n_engines && rc == 0; rank++)
		rc = guard_start(connection, rank, GUARD_ENGINE, owner_pidfd, err);
	if (rc == 0)
		rc = controller_wait(ready[0], timeout_ms + GRACE_MS, err);
	if (rc < 0) /* its guards and their engines end when their link does */
		syscall(SYS_pidfd_send_signal, controller, SIGKILL, NULL, 0);
	close(controller);
	return rc;
}

int local_name(struct connection *out, struct ipp_error *err)
{
	struct connection connection = {0};
	int rc = describe(&connection, err);

	if (rc == 0)
		rc = unix_listen(connection.unix_name, err);
	if (rc < 0)
		connection_fini(&connection);
	else
		*out = connection;
	return rc;
}

int local_start(const struct connection *connection, int unix_fd, unsigned n_engines,
		unsigned timeout_ms, int owner_pidfd, struct ipp_error *err)
{
	int ready[2] = {-1, -1};
	int rc;

	if (pipe2(ready, O_CLOEXEC) < 0)
		rc = ipp_fail(err, errno, "cannot start local engines: %m");
	else
		rc = start_all(connection, n_engines, timeout_ms, owner_pidfd, unix_fd, ready, err);
	for (int i = 0; i < 2; i++)
		if (ready[i] >= 0)
			close(ready[i]);
	close(unix_fd);
	return rc;
}

unsigned local_cpus(void)
{
	cpu_set_t *set = CPU_ALLOC(4096);
	const size_t bytes = CPU_ALLOC_SIZE(4096);
	int n = 1;

	if (set && sched_getaffinity(0, bytes, set) == 0)
		n = CPU_COUNT_S(bytes, set);
	CPU_FREE(set);
	return (unsigned)n;
}
