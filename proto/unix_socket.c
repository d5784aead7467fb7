#include "proto/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/error.h"

#define BACKLOG 4096 /* every engine of a node may connect before the controller runs */
#define QUEUE_S 2    /* to get into the listener's queue, which others may be filling */

static int open_socket(const char *name, struct sockaddr_un *address, socklen_t *bytes,
		       struct ipp_error *err)
{
	const size_t length = strlen(name);
	int fd;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length == 0 || length >= sizeof(address->sun_path))
		return ipp_fail(err, EINVAL, "slurm-ipp: the socket name @%s is empty or too long",
				name);
	memcpy(address->sun_path + 1, name, length);
	*bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ipp_fail(err, errno, "slurm-ipp: cannot make a socket: %m");
	return fd;
}

int unix_listen(const char *name, struct ipp_error *err)
{
	struct sockaddr_un address;
	socklen_t bytes;
	const int fd = open_socket(name, &address, &bytes, err);

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&address, bytes) < 0 || listen(fd, BACKLOG) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		const int code = errno;

		close(fd);
		return ipp_fail(err, code, "slurm-ipp: cannot listen on @%s: %m", name);
	}
	return fd;
}

int unix_connect(const char *name, struct ipp_error *err)
{
	const struct timeval patience = {.tv_sec = QUEUE_S};
	struct sockaddr_un address;
	socklen_t bytes;
	const int fd = open_socket(name, &address, &bytes, err);
	int rc;

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, bytes) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		rc = ipp_fail(err, errno, "slurm-ipp: cannot reach @%s on this node: %m", name);
	} else {
		rc = unix_peer_is_ours(fd, NULL);
		if (rc < 0)
			ipp_fail(
				err, -rc,
				"slurm-ipp: @%s belongs to another user: not talking to it; start the cluster again",
				name);
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int unix_peer_is_ours(int fd, pid_t *pid)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return -errno;
	if (pid)
		*pid = peer.pid;
	return peer.uid == geteuid() ? 0 : -EPERM;
}
