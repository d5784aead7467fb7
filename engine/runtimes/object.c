#include "engine/runtimes/object.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"
#include "proto/sealed.h"

#define FD_PATH_BYTES 40

/* The name under which the dynamic linker knows an object that has no file. */
static void fd_path(char path[FD_PATH_BYTES], int fd)
{
	snprintf(path, FD_PATH_BYTES, "/proc/self/fd/%d", fd);
}

static bool same_bytes(int fd, const uint8_t *bytes, size_t n)
{
	void *map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	bool same;

	if (map == MAP_FAILED)
		return false;
	same = memcmp(map, bytes, n) == 0;
	munmap(map, n);
	return same;
}

/* Whether this node has the same under that name: its own file is better to debug. */
static bool same_file(const char *path, const struct blob *payload, size_t bytes)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	bool same;

	if (fd < 0)
		return false;
	same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == bytes &&
	       same_bytes(fd, payload->data, bytes);
	close(fd);
	return same;
}

/* Why the last dlopen(), of `name`, failed; without that name in front, where it stands mostly. */
static const char *reason(const char *name)
{
	const char *text = dlerror();
	const size_t n = strlen(name);

	return strncmp(text, name, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

static int load_file(struct object *object, const char *path, int flags, struct ipp_error *err)
{
	object->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags);
	if (object->handle)
		return 0;
	if (access(path, F_OK) < 0)
		return ipp_fail(
			err, ENOENT,
			"cannot load the module %s: %s; one of your own is given by its path, with a /",
			path, reason(path));
	return ipp_fail(err, ENOEXEC, "cannot load the module %s: %s", path, reason(path));
}

static int load_bytes(struct object *object, const char *path, const struct blob *payload,
		      size_t bytes, struct ipp_error *err)
{
	char name[FD_PATH_BYTES];

	object->fd = payload->fd >= 0 ? fcntl(payload->fd, F_DUPFD_CLOEXEC, 3)
				      : sealed_new("slurm-ipp-module", payload->data, bytes, err);
	if (object->fd < 0)
		return ipp_fail(err, errno, "cannot load the module %s: no descriptor for it: %m",
				path);
	fd_path(name, object->fd);
	object->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (object->handle)
		return 0;
	ipp_fail(err, ENOEXEC, "cannot load the module %s: %s", path, reason(name));
	close(object->fd);
	object->fd = -1;
	return -ENOEXEC;
}

int object_load(struct object *object, const char *path, const struct blob *payload, size_t bytes,
		struct ipp_error *err)
{
	*object = (struct object){.fd = -1};
	/* Without bytes it is one of our own, which stay the same as long as a worker lives:
	 * loading one anew is a quarter of a round trip. */
	if (!payload || bytes == 0)
		return load_file(object, path, RTLD_NODELETE, err);
	if (same_file(path, payload, bytes))
		return load_file(object, path, 0, err);
	return load_bytes(object, path, payload, bytes, err);
}

void object_unload(struct object *object)
{
	char name[FD_PATH_BYTES];

	if (!object->handle)
		return;
	dlclose(object->handle);
	object->handle = NULL;
	if (object->fd < 0)
		return;
	/* One that stays loaded keeps its name, which no other may get. */
	fd_path(name, object->fd);
	if (!dlopen(name, RTLD_LAZY | RTLD_NOLOAD))
		close(object->fd);
	object->fd = -1;
}
