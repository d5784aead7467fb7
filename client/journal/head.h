/* client/journal/head.h - the beginning of a journal: that it is one, and of which map.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_JOURNAL_HEAD_H
#define IPP_CLIENT_JOURNAL_HEAD_H

#include <sys/types.h>

#include "client/journal/identity.h"

#define HEAD_BYTES 144

/* Write it at the beginning of the file.  -errno of write. */
int head_write(int fd, const struct identity *map);

/* 1: *out is what it says; 0: it is not whole, and what there is of it is only that; -errno with
 * the reason: no journal, or one that cannot be read.
 *   size  of the file      path  for messages */
int head_read(int fd, off_t size, const char *path, struct identity *out, struct ipp_error *err);

#endif
