#include "client/libipp/module_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ipp/client.h"
#include "proto/error.h"

void module_file_free(struct module_file *file)
{
	if (!file)
		return;
	free(file->function);
	blob_unref(file->bytes);
	free(file);
}

/* Split "PATH/MODULE.so:NAME" into an absolute path and NAME.  1; 0 when it is one of our own
 * modules; or a negative errno. */
static int split(const char *function, char path[PATH_MAX], const char **name,
		 struct ipp_error *err)
{
	const char *colon = strrchr(function, ':');
	char *given;
	int rc = 1;

	if (!colon || colon == function || !colon[1])
		return ipp_fail(err, EINVAL, "'%.200s' names no function: write MODULE.so:NAME",
				function);
	if (!memchr(function, '/', (size_t)(colon - function)))
		return 0;
	given = strndup(function, (size_t)(colon - function));
	if (!given)
		return ipp_fail(err, ENOMEM, "out of memory");
	if (!realpath(given, path))
		rc = ipp_fail(err, errno, "cannot read the module %.200s: %m", given);
	free(given);
	*name = colon + 1;
	return rc;
}

/* Open it (gives a descriptor) if it looks like a shared object. */
static int open_object(const char *path, struct stat *st, struct ipp_error *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	Elf64_Ehdr header;

	if (fd < 0)
		return ipp_fail(err, errno, "cannot read the module %.200s: %m", path);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	    pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
	    memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_DYN)
		return fd;
	close(fd);
	return ipp_fail(err, ENOEXEC, "%.200s is no shared object: build it with cc -shared -fPIC",
			path);
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int name_function(struct module_file *file, const char *path, const char *name,
			 struct ipp_error *err)
{
	free(file->function);
	if (asprintf(&file->function, "%s:%s", path, name) >= 0)
		return 0;
	file->function = NULL;
	return ipp_fail(err, ENOMEM, "out of memory");
}

int module_file_get(struct module_file **cache, const char *function,
		    const struct module_file **out, struct ipp_error *err)
{
	char path[PATH_MAX];
	const char *name;
	struct stat st;
	int fd, rc = split(function, path, &name, err);

	*out = NULL;
	if (rc <= 0)
		return rc;
	fd = open_object(path, &st, err);
	if (fd < 0)
		return fd;
	rc = 0;
	if (!*cache || !unchanged(&st, &(*cache)->st)) {
		module_file_free(*cache);
		*cache = calloc(1, sizeof(**cache));
		if (*cache)
			(*cache)->st = st;
		rc = *cache ? blob_from_file(&(*cache)->bytes, fd, 0, (size_t)st.st_size, err)
			    : ipp_fail(err, ENOMEM, "out of memory");
	}
	close(fd);
	if (rc == 0)
		rc = name_function(*cache, path, name, err);
	if (rc < 0) {
		module_file_free(*cache);
		*cache = NULL;
	}
	*out = *cache;
	return rc;
}

int ipp_check_function(const char *function, struct ipp_error *err)
{
	char path[PATH_MAX];
	const char *name;
	struct stat st;
	int fd, rc = split(function, path, &name, err);

	if (rc <= 0)
		return rc;
	fd = open_object(path, &st, err);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}
