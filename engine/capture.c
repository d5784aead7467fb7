#include "engine/capture.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define KEPT_BYTES (64 << 10) /* what may stay in memory once it was read */

/* A limit to the size of files counts for those in memory, too. */
static off_t room_bytes(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < CAPTURE_ROOM_BYTES
		       ? (off_t)limit.rlim_cur
		       : CAPTURE_ROOM_BYTES;
}

int capture_open(void)
{
	const int fd = memfd_create("slurm-ipp-output", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, room_bytes()) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -errno;
}

volatile uint64_t *capture_glance(int fd)
{
	void *page = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

static int read_all(int fd, off_t from, size_t bytes, struct evbuffer *into)
{
	struct evbuffer_iovec room;

	if (evbuffer_reserve_space(into, (ev_ssize_t)bytes, &room, 1) != 1 ||
	    pread(fd, room.iov_base, bytes, from) != (ssize_t)bytes)
		return -ENOMEM;
	room.iov_len = bytes;
	return evbuffer_commit_space(into, &room, 1) < 0 ? -ENOMEM : 0;
}

int capture_take(int fd, size_t most, struct evbuffer *into)
{
	off_t end = lseek(fd, 0, SEEK_CUR);
	size_t bytes;
	int rc;

	if (end <= 0)
		return end < 0 ? -errno : 0;
	if (end > CAPTURE_ROOM_BYTES) /* it was moved there */
		end = CAPTURE_ROOM_BYTES;
	bytes = (size_t)end < most ? (size_t)end : most;
	rc = read_all(fd, end - (off_t)bytes, bytes, into);
	lseek(fd, 0, SEEK_SET);
	pwrite(fd, &(uint64_t){0}, sizeof(uint64_t), 0);
	if (end > KEPT_BYTES)
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end);
	return rc;
}
