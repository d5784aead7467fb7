#include "client/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/standard_output.h"
#include "proto/error.h"

static int cannot_write(const char *name, struct ipp_error *err)
{
	return ipp_fail(err, errno ? errno : EIO, "%s: cannot be written: %m", name);
}

/* A name beside output->name (gives, in output->temporary); -1 and errno. */
static int temporary_name(struct output *output)
{
	unsigned int unique;
	char *name;

	if (getrandom(&unique, sizeof(unique), 0) < 0 ||
	    asprintf(&name, "%s.%08x", output->name, unique) < 0)
		return -1;
	output->temporary = name;
	return 0;
}

/* A file without a name, in the folder of output->name: nothing of it is left if we are killed.
 * -1 and errno: EOPNOTSUPP, or EISDIR of old kernels, where the file system has no such files. */
static int nameless_open(const struct output *output, mode_t mode)
{
	const char *slash = strrchr(output->name, '/');
	char *folder = slash ? strndup(output->name, (size_t)(slash - output->name) + 1)
			     : strdup(".");
	const int fd = folder ? open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, mode) : -1;

	free(folder);
	return fd;
}

/* Open a new file beside output->name.  O_EXCL: what is there by accident is not ours. */
static int temporary_open(struct output *output, mode_t mode)
{
	int fd = nameless_open(output, mode);

	output->nameless = fd >= 0;
	if (fd < 0) {
		if (temporary_name(output) < 0)
			return -1;
		fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	}
	if (fd < 0) {
		free(output->temporary);
		output->temporary = NULL;
		return -1;
	}
	output->file = fdopen(fd, "w");
	if (!output->file)
		close(fd);
	return output->file ? 0 : -1;
}

/* The descriptor of ours that leads to `path` already, or -1.  A file with a new name would leave
 * it with one that has none. */
static int descriptor_of(const char *path, const struct stat *status)
{
	struct stat open;
	int fd, end;

	for (fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &open) == 0 && open.st_dev == status->st_dev &&
		    open.st_ino == status->st_ino)
			return fd;
	if (sscanf(path, "/dev/fd/%d%n", &fd, &end) == 1 && path[end] == '\0')
		return fd;
	return strcmp(path, "/dev/stdin") == 0 ? STDIN_FILENO : -1;
}

/* Write where `fd` stands, behind what was printed so far. */
static int descriptor_open(struct output *output, int fd, struct ipp_error *err)
{
	const int mode = fcntl(fd, F_GETFL);
	int copy;

	if (mode >= 0 && (mode & O_ACCMODE) == O_RDONLY) {
		errno = EBADF;
		return cannot_write(output->path, err);
	}
	fflush(stdout);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	output->file = copy < 0 ? NULL : fdopen(copy, "w");
	if (output->file)
		return 0;
	if (copy >= 0)
		close(copy);
	return cannot_write(output->path, err);
}

int output_open(struct output *out, const char *path, struct ipp_error *err)
{
	struct output output = {.path = path};
	struct stat status;
	const bool exists = stat(path, &status) == 0;
	const int fd = strcmp(path, "-") == 0 ? STDOUT_FILENO
		       : exists		      ? descriptor_of(path, &status)
					      : -1;

	if (fd >= 0) {
		int rc = descriptor_open(&output, fd, err);

		if (rc == 0)
			*out = output;
		return rc;
	}
	if (exists && !S_ISREG(status.st_mode)) {
		output.file = fopen(path, "we");
		if (!output.file)
			return cannot_write(path, err);
		*out = output;
		return 0;
	}
	/* rename() would replace a file made read-only, and only it would notice an empty name. */
	if (access(path, W_OK) < 0 && (errno != ENOENT || *path == '\0'))
		return cannot_write(path, err);
	output.name = realpath(path, NULL);
	if (!output.name)
		output.name = strdup(path);
	if (!output.name || temporary_open(&output, exists ? status.st_mode & 0777 : 0666) < 0) {
		int rc = cannot_write(path, err);

		output_fini(&output);
		return rc;
	}
	*out = output;
	return 0;
}

int output_flush(FILE *file, const char *name, struct ipp_error *err)
{
	errno = 0;
	if (fflush(file) == 0 && !ferror(file))
		return 0;
	if (file == stdout && standard_output_failure() != 0)
		errno = standard_output_failure();
	return cannot_write(name, err);
}

/* What has no name gets one: its own where nothing is in the way, else one beside it. */
static int give_name(struct output *output)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(output->file));
	if (linkat(AT_FDCWD, path, AT_FDCWD, output->name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno != EEXIST || temporary_name(output) < 0)
		return -1;
	if (linkat(AT_FDCWD, path, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	free(output->temporary);
	output->temporary = NULL;
	return -1;
}

/* fsync(): quotas and full disks across a network are told of no earlier. */
int output_commit(struct output *output, struct ipp_error *err)
{
	int rc = output_flush(output->file, output->path, err);

	if (rc < 0 || !output->name)
		return rc;
	if (fsync(fileno(output->file)) < 0 || (output->nameless && give_name(output) < 0) ||
	    (output->temporary && rename(output->temporary, output->name) < 0))
		return cannot_write(output->path, err);
	free(output->temporary);
	output->temporary = NULL;
	return 0;
}

void output_fini(struct output *output)
{
	if (output->file)
		fclose(output->file);
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	free(output->name);
}

int output_check(const char *path, struct ipp_error *err)
{
	struct output output = {.file = NULL};
	struct stat status;
	int rc;

	if (stat(path, &status) < 0 || S_ISREG(status.st_mode) ||
	    descriptor_of(path, &status) >= 0) {
		rc = output_open(&output, path, err);
		output_fini(&output);
		return rc;
	}
	if (S_ISDIR(status.st_mode))
		errno = EISDIR;
	else if (access(path, W_OK) == 0)
		return 0;
	return cannot_write(path, err);
}
