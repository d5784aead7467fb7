#include "launcher/start.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/clock.h"
#include "launcher/program.h"
#include "proto/error.h"
#include "proto/sealed.h"

#define FD_TEXT_BYTES 16
#define VERDICT_BYTES 512

static json_t *ranks_json(const struct start_rank *ranks, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_pack("{s:I, s:s, s:s}", "rank", (json_int_t)i,
						       "host", ranks[i].host, "fingerprint",
						       ranks[i].fingerprint));
	return array;
}

static json_t *fds_json(const int *fds, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_integer(fds[i]));
	return array;
}

static char *setup_text(const struct start_controller *start)
{
	const struct connection *connection = start->connection;
	json_t *setup = json_pack("{s:s, s:s, s:I, s:I, s:s, s:i, s:i}", "job", connection->job,
				  "host", connection->host, "engines", (json_int_t)start->n_engines,
				  "timeout_ms", (json_int_t)start->timeout_ms, "unix",
				  connection->unix_name, "unix_fd", start->unix_fd, "ready_fd",
				  start->ready_fd);
	char *text;

	if (connection->identity_pem)
		json_object_set_new(setup, "identity", json_string(connection->identity_pem));
	if (start->n_tcp_fds)
		json_object_set_new(setup, "tcp_fds", fds_json(start->tcp_fds, start->n_tcp_fds));
	if (start->ranks)
		json_object_set_new(setup, "ranks", ranks_json(start->ranks, start->n_ranks));
	if (start->owner_fd >= 0)
		json_object_set_new(setup, "owner_fd", json_integer(start->owner_fd));
	text = json_dumps(setup, JSON_COMPACT);
	json_decref(setup);
	return text;
}

/* `text` (takes; NULL: out of memory) on a sealed memfd. */
static int sealed_text(const char *name, char *text, struct ipp_error *err)
{
	int fd;

	if (!text)
		return ipp_fail(err, ENOMEM, "%s: %m", name);
	fd = sealed_new(name, text, strlen(text), err);
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	explicit_bzero(text, strlen(text)); /* a private key may be in it */
	free(text);
	return fd;
}

int controller_start(const struct start_controller *start, struct ipp_error *err)
{
	char path[PATH_MAX], fd_text[FD_TEXT_BYTES];
	char *argv[] = {path, (char[]){"--setup-fd"}, fd_text, NULL};
	const size_t n_keep = start->n_tcp_fds + 4;
	int *keep = NULL;
	size_t n = 0;
	int setup_fd = -1;
	int rc = program_path(path, "ipp-controller", err);

	if (rc < 0)
		return rc;
	setup_fd = sealed_text("ipp-setup", setup_text(start), err);
	if (setup_fd < 0)
		return setup_fd;
	keep = calloc(n_keep, sizeof(*keep));
	if (!keep) {
		rc = ipp_fail(err, ENOMEM, "cannot start %s: %m", path);
		goto out;
	}
	keep[n++] = setup_fd;
	keep[n++] = start->unix_fd;
	keep[n++] = start->ready_fd;
	if (start->owner_fd >= 0)
		keep[n++] = start->owner_fd;
	for (size_t i = 0; i < start->n_tcp_fds; i++)
		keep[n++] = start->tcp_fds[i];
	snprintf(fd_text, sizeof(fd_text), "%d", setup_fd);
	rc = program_start(argv, NULL, keep, n, err);
out:
	free(keep);
	close(setup_fd);
	return rc;
}

int controller_wait(int ready_fd, unsigned timeout_ms, struct ipp_error *err)
{
	const long long deadline_ms = clock_ms() + timeout_ms;
	char text[VERDICT_BYTES];
	size_t bytes = 0;

	for (;;) {
		struct pollfd ready = {.fd = ready_fd, .events = POLLIN};
		const int left_ms = clock_left_ms(deadline_ms);
		ssize_t got;

		if (left_ms == 0)
			return ipp_fail(err, ETIMEDOUT,
					"the controller says nothing after %u s: is its node "
					"overloaded?  Give it longer, or try again",
					(timeout_ms + 500) / 1000);
		if (poll(&ready, 1, left_ms) <= 0)
			continue;
		got = read(ready_fd, text + bytes, sizeof(text) - 1 - bytes);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got > 0)
			bytes += (size_t)got;
		text[bytes] = '\0';
		if (strchr(text, '\n') || got <= 0 || bytes == sizeof(text) - 1)
			break;
	}
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, "ready") == 0)
		return 0;
	if (strncmp(text, "error: ", strlen("error: ")) == 0)
		return ipp_fail(err, ETIMEDOUT, "%s", text + strlen("error: "));
	return ipp_fail(err, EPIPE,
			"the controller ended before the engines were ready; its message, "
			"if it left one, is above");
}

struct guard_call {
	char path[PATH_MAX];
	char connection[FD_TEXT_BYTES], rank[FD_TEXT_BYTES], owner[FD_TEXT_BYTES];
	char *argv[9];
	int keep[2];
	size_t n_keep;
};

static int guard_call(struct guard_call *call, const struct connection *connection, unsigned rank,
		      enum guard_kind kind, int owner_fd, struct ipp_error *err)
{
	size_t n = 0;
	int rc = program_path(call->path, "ipp-guard", err);

	if (rc < 0)
		return rc;
	rc = sealed_text("ipp-connection", connection_text(connection), err);
	if (rc < 0)
		return rc;
	call->n_keep = 0;
	call->keep[call->n_keep++] = rc;
	snprintf(call->connection, sizeof(call->connection), "%d", rc);
	snprintf(call->rank, sizeof(call->rank), "%u", rank);
	call->argv[n++] = call->path;
	call->argv[n++] = (char *)"--connection-fd";
	call->argv[n++] = call->connection;
	call->argv[n++] = (char *)"--rank";
	call->argv[n++] = call->rank;
	if (owner_fd >= 0) {
		call->keep[call->n_keep++] = owner_fd;
		snprintf(call->owner, sizeof(call->owner), "%d", owner_fd);
		call->argv[n++] = (char *)"--owner-fd";
		call->argv[n++] = call->owner;
	}
	if (kind == GUARD_STANDBY)
		call->argv[n++] = (char *)"--standby";
	call->argv[n] = NULL;
	return 0;
}

int guard_start(const struct connection *connection, unsigned rank, enum guard_kind kind,
		int owner_fd, struct ipp_error *err)
{
	struct guard_call call;
	int rc = guard_call(&call, connection, rank, kind, owner_fd, err);

	if (rc < 0)
		return rc;
	rc = program_start(call.argv, NULL, call.keep, call.n_keep, err);
	close(call.keep[0]);
	if (rc < 0)
		return rc;
	close(rc);
	return 0;
}

int guard_become(const struct connection *connection, unsigned rank, enum guard_kind kind,
		 int owner_fd, char *const envp[], struct ipp_error *err)
{
	struct guard_call call;
	const int rc = guard_call(&call, connection, rank, kind, owner_fd, err);

	if (rc < 0)
		return rc;
	return program_become(call.argv, envp, call.keep, call.n_keep, err);
}
