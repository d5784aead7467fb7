/* proto/connection.h - where a controller is, and how to prove to it who we are.
 *
 * As text it is JSON.  It is handed to guards and engines on a sealed memfd, and lies in a 0600
 * file only where a cluster is started by hand or for clients on other nodes:
 *   {"version":1, "job":"123", "host":"n1", "unix":"slurm-ipp/123/9f..",
 * "addresses":["10.0.0.1:7711"], "fingerprint":"hex", "identity":"PEM"} Thread: any. */
#ifndef IPP_PROTO_CONNECTION_H
#define IPP_PROTO_CONNECTION_H

#include <stddef.h>
#include "proto/identity.h"

#define CONNECTION_VERSION 1
#define CONNECTION_NAME_BYTES 108 /* an abstract Unix name, without its leading NUL, and NUL */
#define CONNECTION_TEXT_MAX (1 << 20)

struct connection {
	char *job;			/* Slurm job id; "local" outside Slurm */
	char *host;			/* where the controller runs */
	char *unix_name;		/* abstract socket name without the leading '@' */
	char **addresses;		/* "10.0.0.1:7711" or "[fd00::1]:7711", best first */
	size_t n_addresses;		/* 0: reachable on its own node only */
	struct fingerprint fingerprint; /* of the controller's certificate; with addresses only */
	char *identity_pem;		/* certificate and key to present; NULL: Unix socket only */
};

/* Empty it; everything it owns is freed.  All strings in it are malloc'ed and owned. */
void connection_fini(struct connection *connection);

/* JSON text of it (gives; free()); NULL when out of memory. */
char *connection_text(const struct connection *connection);

/* From text / an open descriptor (read from offset 0; stays open) / a file's path.  *out is filled
 * when they return 0; `whence` names the source in messages.  -EINVAL, -E2BIG, -errno of open and
 * read, -EPERM when the file is not ours or others may read it. */
int connection_parse(struct connection *out, const char *text, size_t bytes, const char *whence,
		     struct ipp_error *err);
int connection_from_fd(struct connection *out, int fd, const char *whence, struct ipp_error *err);
int connection_from_file(struct connection *out, const char *path, struct ipp_error *err);

/* Write it to `path`, mode 0600, by way of a new file and rename; the folder is made 0700. */
int connection_save(const struct connection *connection, const char *path, struct ipp_error *err);

/* Make the folder of `path`, 0700, if it is not there.  0; -EPERM when it is another user's, or
 * others can write there; or -errno. */
int connection_make_folder(const char *path, struct ipp_error *err);

/* ~/.slurm-ipp/<job>.json (gives; free()); "local" becomes local-<host>.  NULL when out of memory
 * or there is no home. */
char *connection_path(const char *job);

/* A fresh random name, "slurm-ipp/<job>/<32 hex digits>". */
void connection_name(char name[CONNECTION_NAME_BYTES], const char *job);

#endif
