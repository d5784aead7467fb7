#include "controller/setup.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/error.h"

static int take_descriptors(struct setup *out, const json_t *fds)
{
	const size_t n = json_array_size(fds);

	if (n > sizeof(out->tcp_fds) / sizeof(out->tcp_fds[0]))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		out->tcp_fds[i] = (int)json_integer_value(json_array_get(fds, i));
	out->n_tcp_fds = n;
	return 0;
}

static int take_ranks(struct setup *out, const json_t *ranks)
{
	const size_t n = json_array_size(ranks);

	if (n > SETUP_RANKS_MAX)
		return -EINVAL;
	out->ranks = calloc(n + 1, sizeof(*out->ranks));
	if (!out->ranks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *host, *fingerprint;
		int rank;

		if (json_unpack(json_array_get(ranks, i), "{s:i, s:s, s:s}", "rank", &rank, "host",
				&host, "fingerprint", &fingerprint) < 0 ||
		    rank < 0 || (size_t)rank >= n || out->ranks[rank].host ||
		    fingerprint_parse(&out->ranks[rank].fingerprint, fingerprint) < 0)
			return -EINVAL;
		out->ranks[rank].host = strdup(host);
		if (!out->ranks[rank].host)
			return -ENOMEM;
	}
	out->n_ranks = n;
	return 0;
}

static int take_members(struct setup *out, json_t *json)
{
	const char *job, *host, *identity = NULL;
	json_t *tcp_fds = NULL, *ranks = NULL;
	int n_engines, rc;

	if (json_unpack(json, "{s:s, s:s, s:i, s:i, s:i, s?:o, s?:s, s?:o, s?:i, s?:i}", "job",
			&job, "host", &host, "engines", &n_engines, "timeout_ms", &out->timeout_ms,
			"unix_fd", &out->unix_fd, "tcp_fds", &tcp_fds, "identity", &identity,
			"ranks", &ranks, "owner_fd", &out->owner_fd, "ready_fd",
			&out->ready_fd) < 0)
		return -EINVAL;
	if (n_engines < 0 || n_engines > SETUP_RANKS_MAX || out->timeout_ms < 0)
		return -EINVAL;
	out->n_engines = (unsigned)n_engines;
	out->job = strdup(job);
	out->host = strdup(host);
	out->identity_pem = identity ? strdup(identity) : NULL;
	if (!out->job || !out->host || (identity && !out->identity_pem))
		return -ENOMEM;
	rc = take_descriptors(out, tcp_fds);
	if (rc == 0)
		rc = take_ranks(out, ranks);
	if (rc == 0 && out->n_tcp_fds > 0 && !out->identity_pem)
		rc = -EINVAL;
	return rc;
}

int setup_from_fd(struct setup *out, int fd, struct ipp_error *err)
{
	struct setup found = {.owner_fd = -1, .ready_fd = -1, .unix_fd = -1};
	json_error_t why;
	json_t *json;
	int rc;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return ipp_fail(err, errno, "ipp-controller: --setup-fd %d is not to be read: %m",
				fd);
	json = json_loadfd(fd, 0, &why);
	close(fd);
	if (!json)
		return ipp_fail(err, EINVAL, "ipp-controller: its setup is not JSON: %s", why.text);
	rc = take_members(&found, json);
	json_decref(json);
	if (rc < 0) {
		setup_fini(&found);
		return ipp_fail(
			err, -rc,
			"ipp-controller: its setup has a member that is missing or wrong; install "
			"ipp-launch and ipp-controller of the same version");
	}
	*out = found;
	return 0;
}

uint32_t setup_expects(const struct setup *setup)
{
	return (uint32_t)(setup->n_ranks > setup->n_engines ? setup->n_ranks : setup->n_engines);
}

void setup_withdraw(const struct setup *setup)
{
	if (setup->connection_path)
		unlink(setup->connection_path);
}

void setup_fini(struct setup *setup)
{
	for (size_t i = 0; i < setup->n_ranks; i++)
		free(setup->ranks[i].host);
	free(setup->ranks);
	free(setup->connection_path);
	free(setup->job);
	free(setup->host);
	free(setup->identity_pem);
}
