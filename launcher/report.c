#include "launcher/report.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launcher/clock.h"
#include "proto/error.h"
#include "proto/unix_socket.h"

int report_connect(const char *name, int *owner_fd, struct ipp_error *err)
{
	const int fd = unix_connect(name, err);
	pid_t owner;
	int rc;

	if (fd < 0)
		return ipp_fail(err, -fd,
				"cannot reach the batch script's launcher on this node: %m; "
				"did the script's job end?");
	rc = unix_peer_is_ours(fd, &owner);
	if (rc == 0) {
		*owner_fd = (int)syscall(SYS_pidfd_open, owner, 0);
		rc = *owner_fd < 0 ? -errno : 0;
	}
	if (rc == 0)
		return fd;
	close(fd);
	errno = -rc;
	return ipp_fail(err, -rc, "cannot watch the batch script: %m");
}

void report_error(int fd, const char *why)
{
	char line[1024];
	const int bytes = snprintf(line, sizeof(line), "error: %s\n", why);

	/* Nobody is left to be told when this fails. */
	if (send(fd, line, (size_t)bytes, MSG_NOSIGNAL) < 0)
		return;
}

static int accept_ours(int listener)
{
	const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && unix_peer_is_ours(fd, NULL) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int report_accept(int listener, int pidfd, long long deadline_ms, struct ipp_error *err)
{
	for (;;) {
		struct pollfd ready[] = {{.fd = listener, .events = POLLIN},
					 {.fd = pidfd, .events = POLLIN}};
		const int left_ms = clock_left_ms(deadline_ms);
		int fd;

		if (left_ms == 0)
			return ipp_fail(err, ETIMEDOUT,
					"the engines' step has not started in time; see squeue -s, "
					"or give more "
					"time with --ipp-timeout");
		if (poll(ready, 2, left_ms) <= 0)
			continue;
		fd = ready[0].revents ? accept_ours(listener) : -1;
		if (fd >= 0)
			return fd;
		if (ready[1].revents && !ready[0].revents)
			return ipp_fail(err, EPIPE,
					"the engines' step could not be started; the message of "
					"its srun is above");
	}
}
