#include "client/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/journal/damage.h"
#include "client/journal/head.h"
#include "client/journal/past.h"
#include "client/journal/writer.h"
#include "proto/error.h"

#define SHOWN_MAX 60 /* of a label */

struct journal {
	const char *path;
	int fd;
	struct past *past;
	struct writer *writer;
	struct digest *digest;
	uint64_t n_added;
};

/* ---- opening ---- */

/* Nobody else writes it while we live.  Some file systems have no locks. */
static int lock(const struct journal *journal, struct ipp_error *err)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(journal->fd, F_OFD_SETLK, &all) == 0 || (errno != EAGAIN && errno != EACCES))
		return 0;
	return ipp_fail(err, EBUSY,
			"%s is in use by another run of ipp-run: wait for its end, or give another "
			"file",
			journal->path);
}

static int open_file(struct journal *journal, off_t *size, struct ipp_error *err)
{
	struct stat status;
	int rc;

	journal->fd = open(journal->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (journal->fd < 0)
		return ipp_fail(err, errno, "--journal %s: cannot be written: %m", journal->path);
	rc = lock(journal, err);
	if (rc < 0)
		return rc;
	if (fstat(journal->fd, &status) < 0)
		return ipp_fail(err, errno, "--journal %s: cannot be read: %m", journal->path);
	if (!S_ISREG(status.st_mode))
		return ipp_fail(err, EINVAL, "--journal %s: is not a file", journal->path);
	*size = status.st_size;
	return 0;
}

static int compare(const struct journal *journal, const struct identity *found,
		   const struct identity *map, struct ipp_error *err)
{
	if (memcmp(found->digest, map->digest, sizeof(map->digest)) == 0)
		return 0;
	if (strcmp(found->label, map->label) == 0)
		return ipp_fail(err, EINVAL,
				"%s is the journal of another map: %.*s with another module, other "
				"arguments or data; give --journal another file",
				journal->path, SHOWN_MAX, found->label);
	return ipp_fail(err, EINVAL,
			"%s is the journal of another map: %.*s; give --journal another file",
			journal->path, SHOWN_MAX, found->label);
}

/* What it has and what it is of; *begun is whether it is of anything. */
static int read_head(struct journal *journal, off_t size, bool resume, const struct identity *map,
		     bool *begun, struct ipp_error *err)
{
	struct identity found;
	int rc = head_read(journal->fd, size, journal->path, &found, err);

	/* Nothing is lost of one that has no results. */
	*begun = rc == 1 && (resume || size > HEAD_BYTES);
	if (rc < 0 || !*begun)
		return rc < 0 ? rc : 0;
	if (!resume)
		return ipp_fail(err, EEXIST,
				"%s has the results of an earlier run: go on from there with "
				"--resume, or give another file",
				journal->path);
	return compare(journal, &found, map, err);
}

static int begin(struct journal *journal, const struct identity *map, struct ipp_error *err)
{
	int rc = ftruncate(journal->fd, 0) < 0 ? -errno : head_write(journal->fd, map);

	if (rc == 0)
		return 0;
	if (ftruncate(journal->fd, 0) < 0) /* else it is found not to be whole */
		rc = -errno;
	return ipp_fail(err, -rc, "--journal %s: cannot be written: %m", journal->path);
}

/* Read what earlier runs left; what comes after the last whole block goes, into a file of its own
 * if it is more than a block that was torn. */
static int read_past(struct journal *journal, off_t size, struct ipp_error *err)
{
	int rc = past_open(&journal->past, journal->fd, HEAD_BYTES, size, journal->path, err);
	char kept[DAMAGE_PATH_BYTES] = "";
	off_t end;

	if (rc < 0)
		return rc;
	end = past_end(journal->past);
	if (end == size)
		return 0;
	if (past_is_damaged(journal->past))
		rc = damage_keep(journal->fd, end, size, journal->path, kept, err);
	if (rc < 0)
		return rc;
	if (ftruncate(journal->fd, end) < 0)
		return ipp_fail(err, errno, "--journal %s: cannot be written: %m", journal->path);
	fprintf(stderr,
		"ipp-run: %s is whole up to byte %lld; the %lld bytes behind are %s%s, and what "
		"they told of runs again\n",
		journal->path, (long long)end, (long long)(size - end),
		kept[0] ? "damaged and now in " : "dropped", kept);
	return 0;
}

static int open_all(struct journal *journal, bool resume, const struct identity *map,
		    struct ipp_error *err)
{
	bool begun = false;
	off_t size = 0;
	int rc = open_file(journal, &size, err);

	if (rc == 0)
		rc = read_head(journal, size, resume, map, &begun, err);
	if (rc == 0 && !begun) {
		rc = begin(journal, map, err);
		size = HEAD_BYTES;
	}
	if (rc == 0)
		rc = read_past(journal, size, err);
	if (rc < 0)
		return rc;
	journal->digest = digest_new();
	journal->writer = writer_new(journal->fd, past_end(journal->past), journal->path);
	return journal->digest && journal->writer ? 0 : ipp_fail(err, ENOMEM, "out of memory");
}

static void journal_free(struct journal *journal)
{
	writer_free(journal->writer);
	past_free(journal->past);
	digest_free(journal->digest);
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal);
}

int journal_open(struct journal **out, const char *path, bool resume, const struct identity *map,
		 struct ipp_error *err)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int rc;

	if (!journal)
		return ipp_fail(err, ENOMEM, "out of memory");
	*journal = (struct journal){.path = path, .fd = -1};
	rc = open_all(journal, resume, map, err);
	if (rc < 0)
		journal_free(journal);
	else
		*out = journal;
	return rc;
}

int journal_close(struct journal *journal, struct ipp_error *err)
{
	int rc;

	if (!journal)
		return 0;
	rc = writer_flush(journal->writer, true, err);
	journal_free(journal);
	return rc;
}

/* ---- results ---- */

/* What an item is known by: an integer, or the beginning of its text's SHA-256. */
static uint64_t key(const struct journal *journal, const struct ipp_value *item)
{
	uint8_t sum[DIGEST_BYTES];
	uint64_t first = (uint64_t)item->integer;

	if (item->kind == IPP_TEXT) {
		digest_begin(journal->digest);
		digest_add(journal->digest, item->text, item->bytes);
		digest_end(journal->digest, sum);
		memcpy(&first, sum, sizeof(first));
	}
	return first;
}

int journal_has(struct journal *journal, uint64_t index, const struct ipp_value *item,
		struct ipp_error *err)
{
	uint64_t found;
	const int rc = past_has(journal->past, index, &found, err);

	if (rc <= 0 || found == key(journal, item))
		return rc;
	return ipp_fail(err, EINVAL,
			"item %llu is not the one whose result is in %s: give the items of that "
			"map in their order, or --journal another file",
			(unsigned long long)index, journal->path);
}

int journal_read(struct journal *journal, uint64_t index, struct ipp_result *out,
		 struct ipp_error *err)
{
	return past_read(journal->past, index, out, err);
}

int journal_add(struct journal *journal, const struct ipp_result *result,
		const struct ipp_value *item, struct ipp_error *err)
{
	const int rc = writer_add(journal->writer, result, key(journal, item), err);

	journal->n_added += rc == 0;
	return rc;
}

uint64_t journal_count(const struct journal *journal)
{
	return past_count(journal->past) + journal->n_added;
}

int journal_flush(struct journal *journal, struct ipp_error *err)
{
	return writer_flush(journal->writer, false, err);
}

/* ---- looking ---- */

static int look(int fd, const char *path,
		void (*take)(void *owner, const struct ipp_result *result), void *owner,
		struct ipp_error *err)
{
	struct identity map;
	struct past *past = NULL;
	struct stat status;
	int rc;

	if (fstat(fd, &status) < 0)
		return ipp_fail(err, errno, "%s cannot be read: %m", path);
	if (!S_ISREG(status.st_mode))
		return ipp_fail(err, EINVAL, "%s is not a file", path);
	rc = head_read(fd, status.st_size, path, &map, err);
	if (rc <= 0)
		return rc;
	rc = past_open(&past, fd, HEAD_BYTES, status.st_size, path, err);
	if (rc == 0)
		rc = past_each(past, take, owner, err);
	if (rc == 0 && past_is_damaged(past))
		rc = ipp_fail(err, EBADMSG,
			      "%s is damaged from byte %lld on, and what lies there is not listed: "
			      "with --resume its map runs that again",
			      path, (long long)past_end(past));
	past_free(past);
	return rc;
}

int journal_look(const char *path, void (*take)(void *owner, const struct ipp_result *result),
		 void *owner, struct ipp_error *err)
{
	/* Nobody need be at the other end of a pipe. */
	const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		return ipp_fail(err, errno, "%s cannot be read: %m", path);
	rc = look(fd, path, take, owner, err);
	close(fd);
	return rc;
}
