#include "launcher/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>

#include "launcher/slurm.h"
#include "proto/error.h"
#include "proto/unix_socket.h"

static int listen_at(struct sockets *out, const struct sockaddr_storage *address,
		     struct port_range ports, uint16_t *port, struct ipp_error *err)
{
	const int fd = listener_tcp(address, ports, port, err);

	if (fd < 0)
		return fd;
	out->tcp_fds[out->n_tcp_fds++] = fd;
	return 0;
}

static void advertise(struct sockets *out, const struct sockaddr_storage *address, uint16_t port)
{
	address_text(out->addresses[out->n_addresses++], address, port);
}

/* One socket for all addresses of a family: Slurm's address may be that of a router before us.  A
 * machine without such a network is no failure, *port is 0 then. */
static int listen_to_family(struct sockets *out, sa_family_t family, struct port_range ports,
			    uint16_t *port, struct ipp_error *err)
{
	const struct sockaddr_storage any = {.ss_family = family};
	const int rc = listen_at(out, &any, ports, port, err);

	if (rc < 0)
		*port = 0;
	return rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL ? 0 : rc;
}

static int listen_everywhere(struct sockets *out, const struct addresses *addresses,
			     struct port_range ports, struct ipp_error *err)
{
	uint16_t port4 = 0, port6 = 0;
	int rc = listen_to_family(out, AF_INET, ports, &port4, err);

	if (rc == 0)
		rc = listen_to_family(out, AF_INET6, ports, &port6, err);
	for (size_t i = 0; i < addresses->n && rc == 0; i++) {
		const uint16_t port = addresses->at[i].ss_family == AF_INET6 ? port6 : port4;

		if (port)
			advertise(out, &addresses->at[i], port);
	}
	return rc;
}

/* The site or the user chose an interface: nothing is to be open on others. */
static int listen_on_each(struct sockets *out, const struct addresses *addresses,
			  struct port_range ports, struct ipp_error *err)
{
	for (size_t i = 0; i < addresses->n && i < SOCKETS_TCP_MOST; i++) {
		uint16_t port;
		const int rc = listen_at(out, &addresses->at[i], ports, &port, err);

		if (rc < 0)
			return rc;
		advertise(out, &addresses->at[i], port);
	}
	return 0;
}

int sockets_open(struct sockets *out, const char *unix_name, const char *job, const char *host,
		 const char *interface, struct port_range ports, struct ipp_error *err)
{
	struct sockaddr_storage best;
	struct addresses addresses;
	bool known;
	int rc;

	*out = (struct sockets){.unix_fd = -1};
	if (unix_name)
		snprintf(out->unix_name, sizeof(out->unix_name), "%s", unix_name);
	else
		connection_name(out->unix_name, job);
	out->unix_fd = unix_listen(out->unix_name, err);
	if (out->unix_fd < 0)
		return out->unix_fd;
	known = slurm_node_address(&best, host) == 0;
	rc = addresses_find(&addresses, interface, known ? &best : NULL, err);
	if (rc < 0)
		return rc;
	return interface ? listen_on_each(out, &addresses, ports, err)
			 : listen_everywhere(out, &addresses, ports, err);
}
