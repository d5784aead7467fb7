/* client/journal/writer.h - results on their way into a journal, some at a time as one block.
 *
 * Thread: one thread. */
#ifndef IPP_CLIENT_JOURNAL_WRITER_H
#define IPP_CLIENT_JOURNAL_WRITER_H

#include <sys/types.h>

#include "client/ipp/client.h"

struct writer;

/* Behind what the file has, which ends at `end` (gives; borrows fd and path); NULL when out of
 * memory. */
struct writer *writer_new(int fd, off_t end, const char *path);
void writer_free(struct writer *writer); /* NULL is fine; what was not written is dropped */

/* A result, copied or written.  0, or -errno with the reason; the file then ends with the last
 * block that was written whole, and nothing more is written.
 *   item  what its item is known by */
int writer_add(struct writer *writer, const struct ipp_result *result, uint64_t item,
	       struct ipp_error *err);

/* Write what was added.  Once a second at most it is put on disk, with what was written before;
 * with `sync` at any rate.  Likewise. */
int writer_flush(struct writer *writer, bool sync, struct ipp_error *err);

#endif
