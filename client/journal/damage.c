#include "client/journal/damage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/journal/block.h"

#define COPIES_MAX 1000

static int cannot_keep(const char *path, int code, struct ipp_error *err)
{
	return ipp_fail(err, code,
			"%.80s is damaged, and left as it is, for the part that cannot be read "
			"cannot be copied to %.80s.damaged: %m",
			path, path);
}

/* A new file: its descriptor, or -errno. */
static int create(const char *path, char name[DAMAGE_PATH_BYTES])
{
	int n, fd = -1;

	errno = EEXIST;
	for (int i = 1; fd < 0 && errno == EEXIST && i <= COPIES_MAX; i++) {
		n = i == 1 ? snprintf(name, DAMAGE_PATH_BYTES, "%s.damaged", path)
			   : snprintf(name, DAMAGE_PATH_BYTES, "%s.damaged.%d", path, i);
		if (n >= DAMAGE_PATH_BYTES)
			return -ENAMETOOLONG;
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	return fd < 0 ? -errno : fd;
}

static int copy(int fd, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		const ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			n -= (size_t)written;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int keep(const char *path, const uint8_t *bytes, size_t n, char name[DAMAGE_PATH_BYTES],
		struct ipp_error *err)
{
	const int fd = create(path, name);
	int rc;

	if (fd < 0)
		return cannot_keep(path, -fd, err);
	rc = copy(fd, bytes, n);
	close(fd);
	if (rc == 0)
		return 1;
	unlink(name);
	return cannot_keep(path, -rc, err);
}

int damage_keep(int fd, off_t at, off_t end, const char *path, char kept[DAMAGE_PATH_BYTES],
		struct ipp_error *err)
{
	uint8_t *all = mmap(NULL, (size_t)end, PROT_READ, MAP_PRIVATE, fd, 0);
	const size_t n = (size_t)(end - at);
	int rc = 0;

	if (all == MAP_FAILED)
		return cannot_keep(path, errno, err);
	if (!block_is_torn(all + at, n))
		rc = keep(path, all + at, n, kept, err);
	munmap(all, (size_t)end);
	return rc;
}
