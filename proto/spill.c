#include "proto/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *spill_folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder && *folder ? folder : "/tmp";
}

/* Not every file system makes one without a name at once. */
int spill_open(void)
{
	int fd = open(spill_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd < 0 && asprintf(&path, "%s/ipp-results.XXXXXX", spill_folder()) >= 0) {
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
		free(path);
	}
	return fd;
}

bool spill_write(int fd, const void *bytes, size_t n, off_t offset)
{
	while (n > 0) {
		const ssize_t written = pwrite(fd, bytes, n, offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes = (const char *)bytes + written;
		offset += written;
		n -= (size_t)written;
	}
	return true;
}

bool spill_read(int fd, void *bytes, size_t n, off_t offset)
{
	while (n > 0) {
		const ssize_t got = pread(fd, bytes, n, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0)
			return false;
		bytes = (char *)bytes + got;
		offset += got;
		n -= (size_t)got;
	}
	return true;
}
