/* launcher/start.h - start a controller, or a guard, beside us; no Slurm and no PMIx in it.
 *
 * A controller is told everything by one JSON text on a sealed memfd:
 *   {"job":"123","host":"n1","engines":4,"timeout_ms":60000,"unix":"slurm-ipp/123/..","unix_fd":5,
 *    "tcp_fds":[6,7],"identity":"PEM","ranks":[{"rank":0,"host":"n1","fingerprint":"hex"},...],
 *    "owner_fd":8,"ready_fd":9}
 * tcp_fds, identity and ranks are absent when it listens on its Unix socket alone, owner_fd when
 * nobody owns it.  On ready_fd it writes "ready\n", or "error: <sentence>\n", and closes it.
 * Thread: any. */
#ifndef IPP_LAUNCHER_START_H
#define IPP_LAUNCHER_START_H

#include <stddef.h>

#include "proto/connection.h"

struct ipp_error;

struct start_rank { /* one that may come and prove itself over TLS */
	const char *host;
	const char *fingerprint; /* lower-case hex */
};

struct start_controller {		     /* borrows all it points to */
	const struct connection *connection; /* job, host, unix_name; identity_pem or NULL */
	unsigned n_engines;
	unsigned timeout_ms; /* for all engines to register */
	int unix_fd;	     /* listening already: early comers queue */
	const int *tcp_fds;
	size_t n_tcp_fds;
	const struct start_rank *ranks; /* by rank; NULL: Unix socket only */
	size_t n_ranks;
	int owner_fd; /* pidfd of whose end is the cluster's end; -1: nobody */
	int ready_fd; /* where the controller writes; stays open here */
};

/* Start it.  Returns a pidfd of it (gives), or -errno. */
int controller_start(const struct start_controller *start, struct ipp_error *err);

/* Wait for its verdict on `ready_fd`.  Returns 0; -ETIMEDOUT when engines are missing (its own
 * sentence), or it says nothing within timeout_ms; -EPIPE when it died. */
int controller_wait(int ready_fd, unsigned timeout_ms, struct ipp_error *err);

enum guard_kind { GUARD_ENGINE, GUARD_STANDBY }; /* a standby has no engine: it waits for the end */

/* Start the guard of `rank`.  owner_fd: pidfd or -1.  Returns 0 or -errno. */
int guard_start(const struct connection *connection, unsigned rank, enum guard_kind kind,
		int owner_fd, struct ipp_error *err);

/* Become the guard of `rank`, with environment `envp`.  Returns -errno only. */
int guard_become(const struct connection *connection, unsigned rank, enum guard_kind kind,
		 int owner_fd, char *const envp[], struct ipp_error *err);

#endif
