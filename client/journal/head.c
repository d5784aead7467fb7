#include "client/journal/head.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/error.h"

#define FORMAT 1
#define CHECK_BYTES 16

static const char magic[8] = "ipp-jnl\n";

/* As it lies in the file. */
struct head {
	char magic[8];
	uint32_t format; /* little-endian */
	uint32_t reserved;
	uint8_t digest[DIGEST_BYTES];
	char label[IDENTITY_LABEL_BYTES];
	uint8_t check[CHECK_BYTES]; /* of all before it */
};
_Static_assert(sizeof(struct head) == HEAD_BYTES, "a head has no gaps");

static int check(const struct head *head, uint8_t out[DIGEST_BYTES])
{
	struct digest *digest = digest_new();

	if (!digest)
		return -ENOMEM;
	digest_begin(digest);
	digest_add(digest, head, offsetof(struct head, check));
	digest_end(digest, out);
	digest_free(digest);
	return 0;
}

int head_write(int fd, const struct identity *map)
{
	struct head head = {.format = htole32(FORMAT)};
	uint8_t sum[DIGEST_BYTES];
	ssize_t n;

	memcpy(head.magic, magic, sizeof(magic));
	memcpy(head.digest, map->digest, sizeof(head.digest));
	memcpy(head.label, map->label, sizeof(head.label));
	if (check(&head, sum) < 0)
		return -ENOMEM;
	memcpy(head.check, sum, sizeof(head.check));
	n = pwrite(fd, &head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(head) ? 0 : -ENOSPC;
}

int head_read(int fd, off_t size, const char *path, struct identity *out, struct ipp_error *err)
{
	const size_t bytes = size < HEAD_BYTES ? (size_t)size : HEAD_BYTES;
	const size_t of_magic = bytes < sizeof(magic) ? bytes : sizeof(magic);
	struct head head = {.format = 0};
	uint8_t sum[DIGEST_BYTES];
	const ssize_t n = pread(fd, &head, bytes, 0);

	if (n != (ssize_t)bytes)
		return ipp_fail(err, n < 0 ? errno : EIO, "%s cannot be read: %m", path);
	if (memcmp(head.magic, magic, of_magic) != 0)
		return ipp_fail(err, EINVAL,
				"%s is no journal and is left alone: give another file", path);
	if (bytes < HEAD_BYTES)
		return 0;
	if (check(&head, sum) < 0)
		return ipp_fail(err, ENOMEM, "out of memory");
	if (le32toh(head.format) > FORMAT)
		return ipp_fail(
			err, EINVAL,
			"%s is a journal of format %u, and this version knows none above %u: "
			"use the one that wrote it",
			path, le32toh(head.format), FORMAT);
	if (memcmp(head.check, sum, sizeof(head.check)) != 0)
		return ipp_fail(err, EBADMSG,
				"%s is damaged where it says of which map it is a journal: give "
				"another file",
				path);
	memcpy(out->digest, head.digest, sizeof(out->digest));
	memcpy(out->label, head.label, sizeof(out->label));
	out->label[sizeof(out->label) - 1] = '\0';
	return 1;
}
