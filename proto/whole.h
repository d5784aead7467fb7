/* proto/whole.h - bytes written whole, however many at a time the kernel takes.
 *
 * Thread: any. */
#ifndef IPP_PROTO_WHOLE_H
#define IPP_PROTO_WHOLE_H

#include <stddef.h>

/* All of them, to a descriptor that blocks.  0 or -errno. */
int whole_write(int fd, const void *bytes, size_t n);

#endif
