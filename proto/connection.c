#include "proto/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"

void connection_fini(struct connection *connection)
{
	free(connection->job);
	free(connection->host);
	free(connection->unix_name);
	for (size_t i = 0; i < connection->n_addresses; i++)
		free(connection->addresses[i]);
	free(connection->addresses);
	free(connection->identity_pem);
	memset(connection, 0, sizeof(*connection));
}

char *connection_text(const struct connection *connection)
{
	char fingerprint[FINGERPRINT_TEXT_BYTES];
	json_t *addresses = json_array();
	json_t *json;
	char *text = NULL;

	fingerprint_text(&connection->fingerprint, fingerprint);
	for (size_t i = 0; i < connection->n_addresses; i++)
		json_array_append_new(addresses, json_string(connection->addresses[i]));
	json = json_pack("{s:i, s:s, s:s, s:s, s:o, s:s, s:s*}", "version", CONNECTION_VERSION,
			 "job", connection->job, "host", connection->host, "unix",
			 connection->unix_name, "addresses", addresses, "fingerprint", fingerprint,
			 "identity", connection->identity_pem);
	if (json)
		text = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
	return text;
}

static int copy_addresses(struct connection *out, const json_t *addresses)
{
	const size_t n = json_array_size(addresses);

	out->addresses = calloc(n + 1, sizeof(*out->addresses));
	if (!out->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *address = json_string_value(json_array_get(addresses, i));

		if (!address)
			return -EINVAL;
		out->addresses[i] = strdup(address);
		if (!out->addresses[i])
			return -ENOMEM;
		out->n_addresses++;
	}
	return 0;
}

/* Fill *out from the members; -EINVAL, -ENOMEM. */
static int take_members(struct connection *out, json_t *json)
{
	const char *job, *host, *unix_name, *fingerprint, *identity = NULL;
	json_t *addresses;
	int version;
	int rc;

	if (json_unpack(json, "{s:i, s:s, s:s, s:s, s:o, s:s, s?:s}", "version", &version, "job",
			&job, "host", &host, "unix", &unix_name, "addresses", &addresses,
			"fingerprint", &fingerprint, "identity", &identity) < 0)
		return -EINVAL;
	if (version != CONNECTION_VERSION || !json_is_array(addresses) ||
	    strlen(unix_name) >= CONNECTION_NAME_BYTES ||
	    fingerprint_parse(&out->fingerprint, fingerprint) < 0)
		return -EINVAL;
	rc = copy_addresses(out, addresses);
	if (rc < 0)
		return rc;
	out->job = strdup(job);
	out->host = strdup(host);
	out->unix_name = strdup(unix_name);
	out->identity_pem = identity ? strdup(identity) : NULL;
	if (!out->job || !out->host || !out->unix_name || (identity && !out->identity_pem))
		return -ENOMEM;
	return 0;
}

int connection_parse(struct connection *out, const char *text, size_t bytes, const char *whence,
		     struct ipp_error *err)
{
	struct connection found = {0};
	json_error_t why;
	json_t *json = json_loadb(text, bytes, 0, &why);
	int rc;

	/* "... near '...'": what stands there may be part of a key, or of several lines. */
	if (!json && strstr(why.text, " near "))
		*strstr(why.text, " near ") = '\0';
	if (!json)
		return ipp_fail(err, EINVAL,
				"slurm-ipp: %s is not a connection file: line %d: %s; start the "
				"cluster again to have it written anew",
				whence, why.line, why.text);
	rc = take_members(&found, json);
	json_decref(json);
	if (rc < 0) {
		connection_fini(&found);
		return ipp_fail(err, -rc,
				"slurm-ipp: %s is not a connection file of version %d: a member is "
				"missing or wrong; start the cluster again with this version",
				whence, CONNECTION_VERSION);
	}
	*out = found;
	return 0;
}

int connection_from_fd(struct connection *out, int fd, const char *whence, struct ipp_error *err)
{
	char *text = NULL;
	struct stat st;
	ssize_t got;
	int rc;

	if (fstat(fd, &st) < 0)
		return ipp_fail(err, errno, "slurm-ipp: cannot read %s: %m", whence);
	if (st.st_size > CONNECTION_TEXT_MAX)
		return ipp_fail(
			err, E2BIG,
			"slurm-ipp: %s is too large to be a connection file; start the cluster again to have it written anew",
			whence);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return ipp_fail(err, ENOMEM, "slurm-ipp: out of memory reading %s", whence);
	got = pread(fd, text, (size_t)st.st_size, 0);
	if (got < 0)
		rc = ipp_fail(err, errno, "slurm-ipp: cannot read %s: %m", whence);
	else
		rc = connection_parse(out, text, (size_t)got, whence, err);
	explicit_bzero(text, (size_t)st.st_size);
	free(text);
	return rc;
}

int connection_from_file(struct connection *out, const char *path, struct ipp_error *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int rc;

	if (fd < 0)
		return ipp_fail(err, errno, "slurm-ipp: cannot open the connection file %s: %m",
				path);
	if (fstat(fd, &st) < 0)
		rc = ipp_fail(err, errno, "slurm-ipp: cannot look at the connection file %s: %m",
			      path);
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		rc = ipp_fail(
			err, EPERM,
			"slurm-ipp: the connection file %s must be a plain file of yours with mode "
			"0600; remove it and start the cluster again",
			path);
	else
		rc = connection_from_fd(out, fd, path, err);
	close(fd);
	return rc;
}

/* Who else can write there could put other files in the place of ours. */
static int make_folder(const char *folder, struct ipp_error *err)
{
	struct stat st;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return ipp_fail(err, errno, "slurm-ipp: cannot make the folder %s: %m", folder);
	if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022))
		return ipp_fail(err, EPERM,
				"slurm-ipp: %s must be a folder of yours in which nobody else can "
				"write; remove it, or chmod 700 it",
				folder);
	return 0;
}

int connection_make_folder(const char *path, struct ipp_error *err)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int rc = 0;

	if (!folder)
		return ipp_fail(err, ENOMEM, "slurm-ipp: out of memory writing %s", path);
	if (slash && slash != folder) {
		*slash = '\0';
		rc = make_folder(folder, err);
	}
	free(folder);
	return rc;
}

int connection_save(const struct connection *connection, const char *path, struct ipp_error *err)
{
	char *text = connection_text(connection);
	char *fresh = NULL;
	int fd = -1;
	int rc = 0;

	if (!text || asprintf(&fresh, "%s.XXXXXX", path) < 0) {
		rc = ipp_fail(err, ENOMEM, "slurm-ipp: out of memory writing %s", path);
		goto out;
	}
	rc = connection_make_folder(path, err);
	if (rc < 0)
		goto out;
	fd = mkostemp(fresh, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		rc = ipp_fail(err, errno, "slurm-ipp: cannot write the connection file %s: %m",
			      path);
		goto out;
	}
	errno = ENOSPC; /* what a short write means */
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) < 0 ||
	    rename(fresh, path) < 0) {
		rc = ipp_fail(err, errno, "slurm-ipp: cannot write the connection file %s: %m",
			      path);
		unlink(fresh);
	}
out:
	if (fd >= 0)
		close(fd);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	free(fresh);
	return rc;
}

char *connection_path(const char *job)
{
	const char *home = getenv("HOME");
	char host[256] = "";
	char *path = NULL;

	if (!home || !*home)
		return NULL;
	gethostname(host, sizeof(host) - 1);
	if (strcmp(job, "local") == 0)
		return asprintf(&path, "%s/.slurm-ipp/local-%s.json", home, host) < 0 ? NULL : path;
	return asprintf(&path, "%s/.slurm-ipp/%s.json", home, job) < 0 ? NULL : path;
}

void connection_name(char name[CONNECTION_NAME_BYTES], const char *job)
{
	unsigned char random[16];
	int at = snprintf(name, CONNECTION_NAME_BYTES - 2 * sizeof(random), "slurm-ipp/%.40s/",
			  job);

	while (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		;
	for (size_t i = 0; i < sizeof(random); i++)
		at += sprintf(name + at, "%02x", random[i]);
}
