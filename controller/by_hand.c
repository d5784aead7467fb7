#include "controller/setup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/address.h"
#include "launcher/listener.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/unix_socket.h"

static int open_tcp(struct setup *setup, struct connection *connection, const char *interface,
		    struct port_range range, struct ipp_error *err)
{
	const size_t room = sizeof(setup->tcp_fds) / sizeof(setup->tcp_fds[0]);
	struct addresses addresses;
	int rc = addresses_find(&addresses, interface, NULL, err);

	if (rc < 0)
		return rc;
	connection->addresses = calloc(addresses.n + 1, sizeof(*connection->addresses));
	if (!connection->addresses)
		return ipp_fail(err, ENOMEM, "ipp-controller: out of memory");
	for (size_t i = 0; i < addresses.n && setup->n_tcp_fds < room; i++) {
		char text[ADDRESS_TEXT_BYTES];
		uint16_t port;
		const int fd = listener_tcp(&addresses.at[i], range, &port, err);

		if (fd < 0)
			return fd;
		setup->tcp_fds[setup->n_tcp_fds++] = fd;
		address_text(text, &addresses.at[i], port);
		connection->addresses[connection->n_addresses] = strdup(text);
		if (!connection->addresses[connection->n_addresses++])
			return ipp_fail(err, ENOMEM, "ipp-controller: out of memory");
	}
	return 0;
}

/* Our own certificate, and one for whoever can read the connection file. */
static int make_identities(struct setup *setup, struct connection *connection,
			   struct ipp_error *err)
{
	struct identity *ours = NULL, *theirs = NULL;
	int rc = identity_new(&ours, err);

	if (rc == 0)
		rc = identity_new(&theirs, err);
	if (rc == 0) {
		connection->fingerprint = identity_fingerprint(ours);
		setup->key_holder = identity_fingerprint(theirs);
		setup->identity_pem = identity_pem(ours);
		connection->identity_pem = identity_pem(theirs);
		if (!setup->identity_pem || !connection->identity_pem)
			rc = ipp_fail(err, ENOMEM, "ipp-controller: out of memory");
	}
	identity_free(ours);
	identity_free(theirs);
	return rc;
}

static int name_all(struct setup *setup, struct connection *connection, struct ipp_error *err)
{
	const char *job = getenv("SLURM_JOB_ID");
	char host[HOST_NAME_MAX + 1] = "", name[CONNECTION_NAME_BYTES];

	if (!job || !*job)
		job = "local";
	gethostname(host, sizeof(host) - 1);
	connection_name(name, job);
	setup->job = strdup(job);
	setup->host = strdup(host);
	connection->job = strdup(job);
	connection->host = strdup(host);
	connection->unix_name = strdup(name);
	setup->connection_path = connection_path(job);
	if (!setup->connection_path)
		return ipp_fail(
			err, ENOENT,
			"ipp-controller: HOME is not set, so there is no place for the file "
			"by which engines find it");
	return setup->job && setup->host && connection->job && connection->host &&
			       connection->unix_name
		       ? 0
		       : ipp_fail(err, ENOMEM, "ipp-controller: out of memory");
}

static int port_range_parse(struct port_range *out, const char *text, struct ipp_error *err)
{
	unsigned low, high;
	int end = 0;

	if (sscanf(text, "%u-%u%n", &low, &high, &end) == 2 && text[end] == '\0' && low > 0 &&
	    low <= high && high <= UINT16_MAX) {
		*out = (struct port_range){(uint16_t)low, (uint16_t)high};
		return 0;
	}
	return ipp_fail(err, EINVAL,
			"ipp-controller: --ports %.40s: give a range such as 50000-50999", text);
}

/* Another controller of this job would lose its connection file to us. */
static int check_none_runs(const char *path, struct ipp_error *err)
{
	struct connection connection;
	int fd;

	if (connection_from_file(&connection, path, NULL) < 0)
		return 0;
	fd = unix_connect(connection.unix_name, NULL);
	connection_fini(&connection);
	if (fd < 0)
		return 0;
	close(fd);
	return ipp_fail(
		err, EEXIST,
		"ipp-controller: one of this job runs already (%s): end it with ipp-run stop",
		path);
}

int setup_by_hand(struct setup *out, const char *interface, const char *ports, unsigned n_engines,
		  struct ipp_error *err)
{
	struct setup setup = {.owner_fd = -1,
			      .ready_fd = -1,
			      .unix_fd = -1,
			      .by_hand = true,
			      .n_engines = n_engines};
	struct connection connection = {0};
	struct port_range range = {0, 0};
	int rc = ports ? port_range_parse(&range, ports, err) : 0;

	if (rc == 0)
		rc = name_all(&setup, &connection, err);
	if (rc == 0)
		rc = check_none_runs(setup.connection_path, err);
	if (rc == 0)
		rc = make_identities(&setup, &connection, err);
	if (rc == 0) {
		setup.unix_fd = unix_listen(connection.unix_name, err);
		rc = setup.unix_fd < 0 ? setup.unix_fd : 0;
	}
	if (rc == 0)
		rc = open_tcp(&setup, &connection, interface, range, err);
	/* Last: who finds the file finds the sockets. */
	if (rc == 0)
		rc = connection_save(&connection, setup.connection_path, err);
	connection_fini(&connection);
	if (rc == 0) {
		*out = setup;
		return 0;
	}
	setup_fini(&setup);
	return rc;
}
