/* launcher/sockets.h - the sockets that a step's controller will accept on. */
#ifndef IPP_LAUNCHER_SOCKETS_H
#define IPP_LAUNCHER_SOCKETS_H

#include <stddef.h>

#include "launcher/address.h"
#include "launcher/listener.h"
#include "proto/connection.h"

#define SOCKETS_TCP_MOST 8 /* as many as a controller takes */

struct sockets {
	char unix_name[CONNECTION_NAME_BYTES];
	int unix_fd;
	int tcp_fds[SOCKETS_TCP_MOST];
	size_t n_tcp_fds;
	char addresses[ADDRESS_MOST][ADDRESS_TEXT_BYTES]; /* to reach them by, best first */
	size_t n_addresses;
};

/* Open a Unix socket and TCP sockets on `host`, this node as Slurm calls it.
 *   unix_name  NULL: a fresh one for `job`     interface  NULL: all
 * 0 or -errno; the sockets stay open, for the process ends after a failure. */
int sockets_open(struct sockets *out, const char *unix_name, const char *job, const char *host,
		 const char *interface, struct port_range ports, struct ipp_error *err);

#endif
