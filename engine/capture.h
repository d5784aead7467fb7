/* engine/capture.h - what is written to a worker's own stdout or stderr, by functions and by what
 * kills them: a file in memory, which worker and engine share with its position, so that the last
 * words of a worker are there when it is not.
 *
 * It has a fixed room, or less where `ulimit -f` says so: what is written beyond that fails there,
 * with EPERM.  Thread: main. */
#ifndef IPP_ENGINE_CAPTURE_H
#define IPP_ENGINE_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define CAPTURE_ROOM_BYTES (64 << 20)

/* A new one (gives; close-on-exec), or -errno. */
int capture_open(void);

/* Its first bytes, which show without a system call that something was written, where it is not all
 * zeros; NULL when they cannot be seen. */
volatile uint64_t *capture_glance(int fd);

/* Move what is in it, at most its last `most` bytes, to the end of `into`.  0, -ENOMEM, or -errno
 * when somebody closed it. */
int capture_take(int fd, size_t most, struct evbuffer *into);

#endif
