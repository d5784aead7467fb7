/* client/feed.h - the items of a map: lists of words, ranges and files, read as they are needed.
 *
 * Of several lists each item is one of their combinations, in the order of nested loops, the last
 * list's values changing fastest: its text is the values with a NUL between them.  Thread: any. */
#ifndef IPP_CLIENT_FEED_H
#define IPP_CLIENT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed;
struct ipp_error;
struct ipp_value;

/* Gives; NULL when out of memory.
 *   separator  between items in files      item_max  bytes an item of a file may have */
struct feed *feed_new(char separator, size_t item_max);
void feed_free(struct feed *feed); /* NULL is fine */

/* Add a list (borrows what it is given).
 *   words  the words behind ":::", where further ":::" begin further lists; a list of one word
 *          START:STOP or START:STOP:STEP is a range of integers, without STOP, as in Python
 *   range  such a word
 *   file   a path, or "-": stdin */
int feed_words(struct feed *feed, char **words, size_t n, struct ipp_error *err);
int feed_range(struct feed *feed, const char *word, struct ipp_error *err);
int feed_file(struct feed *feed, const char *path, struct ipp_error *err);

size_t feed_n_lists(const struct feed *feed);

/* How many items there will be; false where only reading tells. */
bool feed_count(const struct feed *feed, uint64_t *n);

/* A descriptor that tells when there may be more, after -EAGAIN; -1 where nothing is waited for. */
int feed_fd(const struct feed *feed);

/* The next item: an integer of a lone range, else a text (borrowed until the next call).  1; 0: no
 * more; -EAGAIN: none now (only without `wait`); or -errno with the reason. */
int feed_next(struct feed *feed, bool wait, struct ipp_value *item, struct ipp_error *err);

#endif
