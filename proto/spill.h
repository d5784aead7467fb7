/* proto/spill.h - a file without a name in $TMPDIR, for what does not fit into memory.
 *
 * Thread: any. */
#ifndef IPP_PROTO_SPILL_H
#define IPP_PROTO_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The folder that it is in, for messages. */
const char *spill_folder(void);

/* A descriptor; or -1 and errno. */
int spill_open(void);

/* All `n` bytes at `offset`; false and errno. */
bool spill_write(int fd, const void *bytes, size_t n, off_t offset);
bool spill_read(int fd, void *bytes, size_t n, off_t offset);

#endif
