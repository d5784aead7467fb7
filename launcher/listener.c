#include "launcher/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "proto/error.h"

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)address)->sin_port = htons(port);
}

static uint16_t get_port(const struct sockaddr_storage *address)
{
	return ntohs(address->ss_family == AF_INET6
			     ? ((const struct sockaddr_in6 *)address)->sin6_port
			     : ((const struct sockaddr_in *)address)->sin_port);
}

static int listen_on(const struct sockaddr_storage *address)
{
	const int yes = 1;
	const socklen_t bytes = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							       : sizeof(struct sockaddr_in);
	const int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	/* IPv4 has a socket of its own.  No SO_REUSEADDR: two clusters must not share a port. */
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)address, bytes) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int listener_tcp(const struct sockaddr_storage *address, struct port_range range, uint16_t *port,
		 struct ipp_error *err)
{
	const unsigned n_ports = (unsigned)range.high - range.low + 1;
	struct sockaddr_storage at = *address;
	socklen_t bytes = sizeof(at);
	unsigned first = 0;
	int fd = -EADDRINUSE;

	/* Start anywhere in the range: neighbours on this node look for a port now, too. */
	if (getrandom(&first, sizeof(first), 0) < 0)
		first = (unsigned)getpid();
	for (unsigned i = 0; i < n_ports && fd == -EADDRINUSE; i++) {
		set_port(&at, (uint16_t)(range.low + (first % n_ports + i) % n_ports));
		fd = listen_on(&at);
	}
	if (fd == -EADDRINUSE)
		return ipp_fail(err, EADDRINUSE,
				"no free port in ports=%u-%u on this node; widen the range in "
				"plugstack.conf",
				range.low, range.high);
	if (fd < 0) {
		errno = -fd;
		return ipp_fail(err, -fd, "cannot listen for TCP connections: %m");
	}
	if (getsockname(fd, (struct sockaddr *)&at, &bytes) < 0) {
		const int rc = ipp_fail(err, errno, "cannot tell which port was bound: %m");

		close(fd);
		return rc;
	}
	*port = get_port(&at);
	return fd;
}
