#include "proto/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/error.h"
#include "proto/whole.h"

int sealed_new(const char *name, const void *data, size_t bytes, struct ipp_error *err)
{
	const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return ipp_fail(err, errno, "slurm-ipp: cannot make a memory file for %s: %m",
				name);
	rc = whole_write(fd, data, bytes);
	if (rc == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return ipp_fail(err, -rc,
				"slurm-ipp: cannot fill the memory file for %s (%zu bytes): %m",
				name, bytes);
	}
	return fd;
}
