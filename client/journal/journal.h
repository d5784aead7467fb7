/* client/journal/journal.h - the results of a map in a file, so that a later run can go on where an
 * earlier one ended, however it ended.
 *
 * The file is a head (head.h), then blocks (block.h) of records (record.h), each written at once
 * and with a checksum; nothing is ever changed in it.  What is not whole at its end is dropped when
 * it is opened again.  It has each result once, in the order in which they came.  Thread: one
 * thread. */
#ifndef IPP_CLIENT_JOURNAL_JOURNAL_H
#define IPP_CLIENT_JOURNAL_JOURNAL_H

#include "client/journal/identity.h"

struct journal;

/* Open the journal of `map` (gives *out; borrows path), made where it is not there.  0, or -errno
 * with the reason: -EEXIST (it has results, and not `resume`), -EBUSY (another run has it),
 * -EINVAL (it is no journal, or another map's), -EBADMSG (damaged).
 *   resume  its results count */
int journal_open(struct journal **out, const char *path, bool resume, const struct identity *map,
		 struct ipp_error *err);

/* Write what is not written.  0, or -errno with the reason.  NULL is fine. */
int journal_close(struct journal *journal, struct ipp_error *err);

/* Whether it has the result of item `index` from an earlier run: 1; 0; or -errno with the reason,
 * such as that `item` was another one then. */
int journal_has(struct journal *journal, uint64_t index, const struct ipp_value *item,
		struct ipp_error *err);

/* That result (borrowed until the next call). */
int journal_read(struct journal *journal, uint64_t index, struct ipp_result *out,
		 struct ipp_error *err);

/* Add a result that no run had; journal_flush() writes what was added.  0, or -errno with the
 * reason, and no more can be added. */
int journal_add(struct journal *journal, const struct ipp_result *result,
		const struct ipp_value *item, struct ipp_error *err);
int journal_flush(struct journal *journal, struct ipp_error *err);

/* Results of all runs. */
uint64_t journal_count(const struct journal *journal);

/* Look at one, while it is being written or not: take() is called for each result, in the order in
 * which they came, without the bytes of outputs and arrays.  0, or -errno with the reason. */
int journal_look(const char *path, void (*take)(void *owner, const struct ipp_result *result),
		 void *owner, struct ipp_error *err);

#endif
