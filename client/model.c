#include "client/model.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/output.h"
#include "engine/forest/forest.h"
#include "proto/error.h"

int model_save(const struct forest *forest, const char *path, struct ipp_error *err)
{
	const size_t n_bytes = forest_bytes(forest);
	uint8_t *bytes = malloc(n_bytes + SHA256_DIGEST_LENGTH);
	struct output output;
	int rc;

	if (!bytes)
		return ipp_fail(err, ENOMEM, "%s: out of memory for a model of %zu bytes", path,
				n_bytes);
	forest_write(forest, bytes);
	SHA256(bytes, n_bytes, bytes + n_bytes);
	rc = output_open(&output, path, err);
	if (rc == 0) {
		fwrite(bytes, 1, n_bytes + SHA256_DIGEST_LENGTH, output.file);
		rc = output_commit(&output, err);
		output_fini(&output);
	}
	free(bytes);
	return rc;
}

static int read_whole(FILE *file, const char *path, uint8_t **bytes, size_t *n_bytes,
		      struct ipp_error *err)
{
	struct stat st;

	if (fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode))
		return ipp_fail(
			err, EINVAL,
			"%s: is no regular file: give the file that ipp-run forest fit wrote",
			path);
	*n_bytes = (size_t)st.st_size;
	*bytes = malloc(*n_bytes + 1);
	if (!*bytes)
		return ipp_fail(err, ENOMEM, "%s: out of memory for %zu bytes", path, *n_bytes);
	if (fread(*bytes, 1, *n_bytes, file) == *n_bytes)
		return 0;
	free(*bytes);
	*bytes = NULL;
	return ipp_fail(err, EIO, "%s: became shorter while it was read: fit it again", path);
}

int model_load(const char *path, uint8_t **out, size_t *n_out, struct ipp_error *err)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	/* O_NONBLOCK: to open a pipe would wait for whoever writes to it. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	uint8_t *bytes = NULL;
	size_t n_bytes = 0;
	int rc;

	if (!file) {
		rc = ipp_fail(err, errno, "%s: cannot be read: %m", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = read_whole(file, path, &bytes, &n_bytes, err);
	fclose(file);
	if (rc < 0)
		return rc;
	if (n_bytes > sizeof(sum)) {
		n_bytes -= sizeof(sum);
		SHA256(bytes, n_bytes, sum);
		if (memcmp(sum, bytes + n_bytes, sizeof(sum)) == 0) {
			*out = bytes;
			*n_out = n_bytes;
			return 0;
		}
	}
	free(bytes);
	return ipp_fail(
		err, EINVAL,
		"%s: is not a model of ipp-run forest fit, or it is cut or damaged: fit it again",
		path);
}
