#include "client/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"

static int cannot_write(const char *name, struct ipp_error *err)
{
	return ipp_fail(err, errno ? errno : EIO, "%s: cannot be written: %m", name);
}

/* Open a new file beside output->name.  O_EXCL: what is there by accident is not ours. */
static int temporary_open(struct output *output, mode_t mode)
{
	unsigned int unique;
	char *temporary;
	int fd;

	if (getrandom(&unique, sizeof(unique), 0) < 0 ||
	    asprintf(&temporary, "%s.%08x", output->name, unique) < 0)
		return -1;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0) {
		free(temporary);
		return -1;
	}
	output->temporary = temporary;
	output->file = fdopen(fd, "w");
	if (!output->file)
		close(fd);
	return output->file ? 0 : -1;
}

int output_open(struct output *out, const char *path, struct ipp_error *err)
{
	struct output output = {.path = path};
	struct stat status;
	const bool exists = stat(path, &status) == 0;

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
	return fflush(file) == 0 && !ferror(file) ? 0 : cannot_write(name, err);
}

/* fsync(): quotas and full disks across a network are told of no earlier. */
int output_commit(struct output *output, struct ipp_error *err)
{
	int rc = output_flush(output->file, output->path, err);

	if (rc < 0 || !output->temporary)
		return rc;
	if (fsync(fileno(output->file)) < 0 || rename(output->temporary, output->name) < 0)
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

	if (stat(path, &status) < 0 || S_ISREG(status.st_mode)) {
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
