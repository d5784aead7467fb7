/* launcher/listener.h - TCP sockets that a controller will accept on, bound before it starts.
 *
 * Bound and listening at once, so that who comes early waits in the queue and needs no retry.
 * Thread: any.  All descriptors are close-on-exec. */
#ifndef IPP_LAUNCHER_LISTENER_H
#define IPP_LAUNCHER_LISTENER_H

#include <stdint.h>
#include <sys/socket.h>

struct ipp_error;

struct port_range { /* 0-0: any port */
	uint16_t low, high;
};

/* A TCP socket on `address` (its port is ignored) and a free port of `range`; *port is the one it
 * got.  Returns the descriptor; -EADDRINUSE when the range is used up; -EAFNOSUPPORT and
 * -EADDRNOTAVAIL when this machine has no such network. */
int listener_tcp(const struct sockaddr_storage *address, struct port_range range, uint16_t *port,
		 struct ipp_error *err);

#endif
