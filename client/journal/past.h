/* client/journal/past.h - what earlier runs left in a journal, found by index.
 *
 * Results are read from the file as they are asked for, and where they lie is read again for 65,536
 * indices at a time: memory does not grow with their number, if they are asked for somewhat in
 * order.  Thread: one thread. */
#ifndef IPP_CLIENT_JOURNAL_PAST_H
#define IPP_CLIENT_JOURNAL_PAST_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/ipp/client.h"

struct past;

/* Read the blocks that lie from `from` on (gives *out; borrows fd and path).  Reading ends before
 * the first one that is not as it was written: past_end() is where, and past_is_damaged() whether
 * it is more than what kill -9 leaves of a block.  -errno of reading, -ENOMEM. */
int past_open(struct past **out, int fd, off_t from, off_t size, const char *path,
	      struct ipp_error *err);
void past_free(struct past *past); /* NULL is fine */

off_t past_end(const struct past *past);
bool past_is_damaged(const struct past *past);
uint64_t past_count(const struct past *past); /* results */

/* Whether the result of `index` is there: 1, and *item is what its item is known by; 0; -errno. */
int past_has(struct past *past, uint64_t index, uint64_t *item, struct ipp_error *err);

/* The result of an index that is there (borrowed until the next call). */
int past_read(struct past *past, uint64_t index, struct ipp_result *out, struct ipp_error *err);

/* All of them in the order of the file, without the bytes of outputs and arrays. */
int past_each(struct past *past, void (*take)(void *owner, const struct ipp_result *result),
	      void *owner, struct ipp_error *err);

#endif
