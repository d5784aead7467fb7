#include "client/pieces.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"

#define READ_BYTES ((size_t)64 << 10)

int pieces_open(struct pieces *pieces, const char *name, char separator, size_t max,
		struct ipp_error *err)
{
	const bool is_stdin = strcmp(name, "-") == 0;
	struct stat status;
	const int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0 || S_ISDIR(status.st_mode)) {
		const int failed = fd < 0 ? errno : EISDIR;

		if (fd > 0)
			close(fd);
		errno = failed;
		return ipp_fail(err, failed, "ipp-run: %s cannot be read: %m",
				is_stdin ? "stdin" : name);
	}
	*pieces = (struct pieces){.name = is_stdin ? "stdin" : name,
				  .fd = fd,
				  .separator = separator,
				  .max = max,
				  .plain = S_ISREG(status.st_mode)};
	return 0;
}

void pieces_close(struct pieces *pieces)
{
	if (pieces->fd > 0)
		close(pieces->fd);
	free(pieces->bytes);
	*pieces = (struct pieces){.fd = -1};
}

/* Room for some more bytes behind those that are there. */
static int make_room(struct pieces *pieces, struct ipp_error *err)
{
	const size_t kept = pieces->end - pieces->at;
	size_t room = pieces->room;
	char *bytes;

	if (pieces->at > 0 && kept > 0)
		memmove(pieces->bytes, pieces->bytes + pieces->at, kept);
	pieces->at = 0;
	pieces->end = kept;
	if (room - kept >= READ_BYTES)
		return 0;
	room = 2 * kept + 2 * READ_BYTES;
	bytes = realloc(pieces->bytes, room + 1);
	if (!bytes)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory for an item of %zu bytes",
				kept);
	pieces->bytes = bytes;
	pieces->room = room;
	return 0;
}

/* 1 when there are more bytes, or the end was found; or as pieces_next(). */
static int read_more(struct pieces *pieces, bool wait, struct ipp_error *err)
{
	struct pollfd on = {.fd = pieces->fd, .events = POLLIN};
	const int rc = make_room(pieces, err);
	ssize_t n;

	if (rc < 0)
		return rc;
	if (!wait && !pieces->plain && poll(&on, 1, 0) == 0)
		return -EAGAIN;
	n = read(pieces->fd, pieces->bytes + pieces->end, pieces->room - pieces->end);
	if (n < 0 && errno == EAGAIN && wait) {
		poll(&on, 1, -1); /* somebody made it non-blocking */
		return 1;
	}
	if (n < 0)
		return ipp_fail(err, errno, "ipp-run: %s cannot be read: %m", pieces->name);
	pieces->finished = n == 0;
	pieces->end += (size_t)n;
	return 1;
}

static int give(struct pieces *pieces, size_t n, size_t skip, const char **piece, size_t *bytes)
{
	pieces->bytes[pieces->at + n] = '\0';
	*piece = pieces->bytes + pieces->at;
	*bytes = n;
	pieces->at += n + skip;
	return 1;
}

int pieces_next(struct pieces *pieces, bool wait, const char **piece, size_t *bytes,
		struct ipp_error *err)
{
	size_t searched = 0;

	for (;;) {
		const size_t n = pieces->end - pieces->at;
		const char *from = n > 0 ? pieces->bytes + pieces->at : NULL;
		const char *end = n > searched
					  ? memchr(from + searched, pieces->separator, n - searched)
					  : NULL;
		const size_t length = end ? (size_t)(end - from) : n;
		int rc;

		if (length > pieces->max)
			return ipp_fail(err, EMSGSIZE,
					"ipp-run: an item of %s has more than %zu bytes: put it "
					"into a file or a variable, and name that",
					pieces->name, pieces->max);
		if (end)
			return give(pieces, length, 1, piece, bytes);
		if (pieces->finished)
			return n > 0 ? give(pieces, n, 0, piece, bytes) : 0;
		searched = n;
		rc = read_more(pieces, wait, err);
		if (rc < 0)
			return rc;
	}
}

int pieces_rewind(struct pieces *pieces, struct ipp_error *err)
{
	if (lseek(pieces->fd, 0, SEEK_SET) < 0)
		return ipp_fail(err, errno,
				"ipp-run: %s can be read but once: of several lists of items, put "
				"it first",
				pieces->name);
	pieces->at = pieces->end = 0;
	pieces->finished = false;
	return 0;
}
