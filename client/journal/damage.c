#include "client/journal/damage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/whole.h"

#define COPIES_MAX 1000

static int cannot_keep(const char *path, int code, struct ipp_error *err)
{
	return ipp_fail(
		err, code,
		"%.80s is damaged, and left as it is, for the part that cannot be read "
		"cannot be copied to %.80s.damaged: %m; make that possible, or give another "
		"file",
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

int damage_keep(int fd, off_t at, off_t end, const char *path, char kept[DAMAGE_PATH_BYTES],
		struct ipp_error *err)
{
	const size_t n = (size_t)(end - at);
	void *all = mmap(NULL, (size_t)end, PROT_READ, MAP_PRIVATE, fd, 0);
	const int copy = all == MAP_FAILED ? -errno : create(path, kept);
	int rc = copy;

	if (copy >= 0) {
		rc = whole_write(copy, (const uint8_t *)all + at, n);
		if (rc == 0 && fsync(copy) < 0)
			rc = -errno;
		close(copy);
		if (rc < 0)
			unlink(kept);
	}
	if (all != MAP_FAILED)
		munmap(all, (size_t)end);
	return rc < 0 ? cannot_keep(path, -rc, err) : 0;
}
