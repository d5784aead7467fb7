#include "proto/array_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"

static int map(struct array_file *file, struct ipp_error *err)
{
	struct stat status;
	char byte;

	if (fstat(file->fd, &status) < 0)
		return ipp_fail(err, errno, "%s: %m", file->path);
	if (!S_ISREG(status.st_mode))
		return ipp_fail(err, EINVAL, "%s: is no regular file: copy what it gives into one",
				file->path);
	file->map_bytes = (size_t)status.st_size;
	if (file->map_bytes == 0 && pread(file->fd, &byte, 1, 0) == 0)
		return 0;
	if (file->map_bytes == 0) /* in /proc */
		return ipp_fail(err, EINVAL,
				"%s: does not say how large it is: copy it, and give the copy",
				file->path);
	file->map = mmap(NULL, file->map_bytes, PROT_READ, MAP_PRIVATE, file->fd, 0);
	if (file->map != MAP_FAILED)
		return 0;
	file->map = NULL;
	return ipp_fail(err, errno, "%s: cannot be mapped: %m; copy it, and give the copy",
			file->path);
}

static int describe(struct array_file *file, struct ipp_error *err)
{
	const uint64_t shape[1] = {file->map_bytes};

	if (npy_is_named(file->path))
		return npy_parse(&file->npy, file->map, file->map_bytes, file->path, err);
	return npy_init(&file->npy, "|u1", 1, shape, false, file->path, err);
}

int array_file_open(struct array_file *file, const char *path, struct ipp_error *err)
{
	int rc;

	*file = (struct array_file){.path = path,
				    .fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
	if (file->fd < 0)
		return ipp_fail(err, errno, "%s: %m", path);
	rc = map(file, err);
	if (rc == 0)
		rc = describe(file, err);
	if (rc < 0) {
		array_file_close(file);
		return rc;
	}
	file->value = (struct ipp_value){
		.kind = IPP_ARRAY,
		.bytes = file->npy.data_bytes,
		.dtype = file->npy.dtype,
		.shape = file->npy.shape,
		.n_dims = file->npy.n_dims,
		.fortran_order = file->npy.fortran,
		.data = file->map ? (const uint8_t *)file->map + file->npy.data_offset : NULL};
	return 0;
}

void array_file_close(struct array_file *file)
{
	if (file->map)
		munmap(file->map, file->map_bytes);
	close(file->fd);
}
