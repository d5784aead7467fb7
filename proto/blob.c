#include "proto/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/descriptors.h"
#include "proto/error.h"
#include "proto/whole.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* -1 where there are too many descriptors for one more. */
static int open_memfd(void)
{
	const int fd = memfd_create("slurm-ipp", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || descriptors_allow(DESCRIPTORS_PAYLOADS, fd))
		return fd;
	close(fd);
	return -1;
}

static struct blob *map_fresh(struct blob *blob)
{
	int why;

	if (ftruncate(blob->fd, (off_t)blob->bytes) < 0)
		goto fail;
	blob->data = mmap(NULL, blob->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, blob->fd, 0);
	if (blob->data != MAP_FAILED) {
		blob->mapped = true;
		return blob;
	}
fail:
	why = errno;
	close(blob->fd);
	free(blob);
	errno = why;
	return NULL;
}

struct blob *blob_new(size_t bytes)
{
	struct blob *blob = calloc(1, sizeof(*blob));

	if (!blob)
		return NULL;
	*blob = (struct blob){.bytes = bytes, .fd = -1, .refs = 1};
	if (bytes >= BLOB_MEMFD_MIN)
		blob->fd = open_memfd();
	if (blob->fd >= 0)
		return map_fresh(blob);
	blob->data = malloc(bytes ? bytes : 1);
	if (!blob->data) {
		free(blob);
		return NULL;
	}
	return blob;
}

struct blob *blob_copy(const void *data, size_t bytes)
{
	struct blob *blob = blob_new(bytes);

	if (!blob)
		return NULL;
	/* Write, not copy into the mapping: that would take a page fault for each fresh page. */
	if (blob->fd >= 0 && whole_write(blob->fd, data, bytes) < 0) {
		blob_unref(blob);
		return NULL;
	}
	if (blob->fd < 0 && bytes)
		memcpy(blob->data, data, bytes);
	if (blob_seal(blob, NULL) < 0) {
		blob_unref(blob);
		return NULL;
	}
	return blob;
}

/* 1: all of it is there; 0: the file ended before; or -errno. */
static int fill_from_file(const struct blob *blob, int fd, uint64_t offset)
{
	off_t from = (off_t)offset;
	size_t done = 0;

	while (done < blob->bytes) {
		const ssize_t n = blob->fd >= 0 ? sendfile(blob->fd, fd, &from, blob->bytes - done)
						: pread(fd, blob->data + done, blob->bytes - done,
							(off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0)
			done += (size_t)n;
	}
	return 1;
}

int blob_from_file(struct blob **out, int fd, uint64_t offset, size_t bytes, struct ipp_error *err)
{
	struct blob *blob = blob_new(bytes);
	int rc;

	if (!blob)
		return ipp_fail(err, errno, "slurm-ipp: no memory for %zu bytes of a file: %m",
				bytes);
	rc = fill_from_file(blob, fd, offset);
	if (rc == 1)
		rc = blob_seal(blob, err);
	else if (rc == 0)
		rc = ipp_fail(err, EIO, "slurm-ipp: the file became shorter while it was read");
	else
		rc = ipp_fail(err, -rc, "slurm-ipp: cannot read %zu bytes of the file: %m", bytes);
	if (rc < 0)
		blob_unref(blob);
	else
		*out = blob;
	return rc;
}

int blob_write(const struct blob *blob, size_t offset, size_t bytes, int fd)
{
	const size_t end = offset + bytes;
	bool within = blob->fd >= 0;
	off_t from = (off_t)offset;

	while ((size_t)from < end) {
		const size_t left = end - (size_t)from;
		const ssize_t n = within ? sendfile(fd, blob->fd, &from, left)
					 : write(fd, blob->data + from, left);

		if (n < 0 && within && errno == EINVAL)
			within = false; /* a file of a kind that takes no pages */
		else if (n == 0)
			return -EIO; /* as if it were shorter than it is */
		else if (n < 0 && errno != EINTR)
			return -errno;
		else if (n > 0 && !within)
			from += n;
	}
	return 0;
}

int blob_map(struct blob **out, int fd, size_t bytes, struct ipp_error *err)
{
	struct blob *blob;
	struct stat st;
	const int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS)
		return ipp_fail(err, EINVAL,
				"slurm-ipp: a peer sent a descriptor that is not a sealed memfd");
	if (fstat(fd, &st) < 0 || bytes == 0 || (uint64_t)st.st_size < bytes)
		return ipp_fail(err, EINVAL,
				"slurm-ipp: a peer sent a memfd shorter than its frame says");
	blob = calloc(1, sizeof(*blob));
	if (!blob)
		return ipp_fail(err, ENOMEM, "slurm-ipp: out of memory taking %zu bytes", bytes);
	*blob = (struct blob){.bytes = bytes, .fd = fd, .refs = 1};
	blob->data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (blob->data == MAP_FAILED) {
		free(blob);
		return ipp_fail(err, ENOMEM, "slurm-ipp: cannot map %zu bytes: %m", bytes);
	}
	blob->mapped = true;
	if (!descriptors_allow(DESCRIPTORS_PAYLOADS, fd))
		blob_close_fd(blob);
	*out = blob;
	return 0;
}

int blob_seal(struct blob *blob, struct ipp_error *err)
{
	void *readable;

	if (blob->fd < 0)
		return 0;
	/* F_SEAL_WRITE is refused while a writable shared mapping exists.  Readers map privately:
	 * kernels before 6.7 refuse a shared mapping of a sealed file even to read. */
	munmap(blob->data, blob->bytes);
	blob->data = NULL;
	blob->mapped = false;
	if (fcntl(blob->fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
		return ipp_fail(err, errno, "slurm-ipp: cannot seal %zu bytes: %m", blob->bytes);
	readable = mmap(NULL, blob->bytes, PROT_READ, MAP_PRIVATE, blob->fd, 0);
	if (readable == MAP_FAILED)
		return ipp_fail(err, errno, "slurm-ipp: cannot map %zu bytes: %m", blob->bytes);
	blob->data = readable;
	blob->mapped = true;
	return 0;
}

void blob_close_fd(struct blob *blob)
{
	if (!blob || blob->fd < 0)
		return;
	close(blob->fd);
	blob->fd = -1;
}

struct blob *blob_ref(struct blob *blob)
{
	if (blob)
		blob->refs++;
	return blob;
}

void blob_unref(struct blob *blob)
{
	if (!blob || --blob->refs > 0)
		return;
	if (blob->mapped)
		munmap(blob->data, blob->bytes);
	else
		free(blob->data);
	blob_close_fd(blob);
	free(blob);
}
