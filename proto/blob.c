#include "proto/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct blob *map_fresh(struct blob *blob)
{
	blob->fd = memfd_create("slurm-ipp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (blob->fd < 0 || ftruncate(blob->fd, (off_t)blob->bytes) < 0)
		goto fail;
	blob->data = mmap(NULL, blob->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, blob->fd, 0);
	if (blob->data != MAP_FAILED)
		return blob;
fail:
	if (blob->fd >= 0)
		close(blob->fd);
	free(blob);
	return NULL;
}

struct blob *blob_new(size_t bytes)
{
	struct blob *blob = calloc(1, sizeof(*blob));

	if (!blob)
		return NULL;
	*blob = (struct blob){.bytes = bytes, .fd = -1, .refs = 1};
	if (bytes >= BLOB_MEMFD_MIN)
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
	if (bytes)
		memcpy(blob->data, data, bytes);
	if (blob_seal(blob, NULL) < 0) {
		blob_unref(blob);
		return NULL;
	}
	return blob;
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
	if (fcntl(blob->fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
		return ipp_fail(err, errno, "slurm-ipp: cannot seal %zu bytes: %m", blob->bytes);
	readable = mmap(NULL, blob->bytes, PROT_READ, MAP_PRIVATE, blob->fd, 0);
	if (readable == MAP_FAILED)
		return ipp_fail(err, errno, "slurm-ipp: cannot map %zu bytes: %m", blob->bytes);
	blob->data = readable;
	return 0;
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
	if (blob->fd >= 0) {
		if (blob->data)
			munmap(blob->data, blob->bytes);
		close(blob->fd);
	} else {
		free(blob->data);
	}
	free(blob);
}
