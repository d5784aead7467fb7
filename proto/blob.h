/* proto/blob.h - counted bytes that many frames may carry without a copy.
 *
 * Small ones lie on the heap; large ones in a memfd, so that a neighbour on the node can map the
 * same pages, as long as no more than half of all descriptors are taken.  Thread: one thread per
 * blob; counts are plain. */
#ifndef IPP_PROTO_BLOB_H
#define IPP_PROTO_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipp_error;

#define BLOB_MEMFD_MIN (64 * 1024) /* below this, copying beats two system calls and a mapping */

struct blob {
	uint8_t *data; /* read-only once it is sealed */
	size_t bytes;
	int fd;	     /* the memfd, or -1 */
	bool mapped; /* its pages; else it lies on the heap */
	unsigned refs;
};

/* Room for `bytes` to be filled (gives, with one reference); NULL and errno: out of memory, or
 * beyond `ulimit -f`. */
struct blob *blob_new(size_t bytes);

/* A copy of `data` (gives; sealed). */
struct blob *blob_copy(const void *data, size_t bytes);

/* A copy of what an open file has from `offset` on (gives *out; sealed), which the kernel makes
 * without a detour through this process.  -EIO when the file is too short, -ENOMEM, -errno. */
int blob_from_file(struct blob **out, int fd, uint64_t offset, size_t bytes, struct ipp_error *err);

/* Write some of it to an open file, where that stands: from a memfd within the kernel, which saves
 * the page faults of reading its mapping.  0 or -errno. */
int blob_write(const struct blob *blob, size_t offset, size_t bytes, int fd);

/* Map a descriptor that came from a peer (takes `fd` when it succeeds): it must be a sealed memfd
 * of at least `bytes`, so that nobody can pull the pages from under us.  -EINVAL, -ENOMEM. */
int blob_map(struct blob **out, int fd, size_t bytes, struct ipp_error *err);

/* No more writes: from now on it may be sent.  0 or -errno. */
int blob_seal(struct blob *blob, struct ipp_error *err);

/* Close its memfd, if it has one: the bytes stay, and no descriptor is spent on them.  For
 * who keeps many and sends them to nobody. */
void blob_close_fd(struct blob *blob); /* NULL is fine */

struct blob *blob_ref(struct blob *blob); /* NULL gives NULL */
void blob_unref(struct blob *blob);	  /* NULL is fine */

#endif
