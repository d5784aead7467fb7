/* controller/setup.h - what a controller was told when it was started (launcher/start.h has the
 * JSON), or what it decided itself when it was started by hand.
 *
 * Thread: any. */
#ifndef IPP_CONTROLLER_SETUP_H
#define IPP_CONTROLLER_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/identity.h"

#define SETUP_RANKS_MAX 65536

struct setup_rank {
	char *host;
	struct fingerprint fingerprint;
};

struct setup {
	char *job, *host;
	unsigned n_engines; /* to wait for; 0: as many as come */
	int timeout_ms;	    /* for all of them to register; 0: no limit */
	int unix_fd;
	int tcp_fds[8];
	size_t n_tcp_fds;
	char *identity_pem;	  /* of the controller; NULL: Unix socket only */
	struct setup_rank *ranks; /* who may come over TLS, by rank */
	size_t n_ranks;
	int owner_fd, ready_fd; /* -1: none */
	bool by_hand;
	struct fingerprint key_holder; /* by hand: the certificate in the connection file */
	char *connection_path;	       /* by hand: the file to remove at the end */
};

/* Read the JSON on `fd` (takes).  *out is filled when it returns 0; setup_fini(). -EINVAL. */
int setup_from_fd(struct setup *out, int fd, struct ipp_error *err);

/* By hand: own sockets on this node's addresses, own certificates, and a 0600 connection file where
 * engines and clients of the same job look for it.
 *   interface  name, or NULL for all      ports  "LO-HI", or NULL for any */
int setup_by_hand(struct setup *out, const char *interface, const char *ports, unsigned n_engines,
		  struct ipp_error *err);

/* Ranks that must register: engines, then standbys. */
uint32_t setup_expects(const struct setup *setup);

/* By hand: remove the connection file.  Before anybody is told of the end: whoever is may start
 * another cluster, whose file it then is. */
void setup_withdraw(const struct setup *setup);

void setup_fini(struct setup *setup);

#endif
