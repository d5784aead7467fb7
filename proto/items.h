/* proto/items.h - a run of a map's items, and slices of it that are handed about.
 *
 * Thread: one thread. */
#ifndef IPP_PROTO_ITEMS_H
#define IPP_PROTO_ITEMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/blob.h"
#include "proto/ipp.pb-c.h"

struct ipp_error;
struct link;

/* The `i`-th integer of a range; steps may be as large as from the least to the greatest. */
static inline int64_t items_integer(int64_t start, int64_t step, uint64_t i)
{
	return (int64_t)((uint64_t)start + i * (uint64_t)step);
}

/* Items first .. first+count-1 of one map: a range, or texts in a blob.  Counted by slices. */
struct items;

/* From a TASKS frame (gives, with one reference); -EPROTO when head and payload disagree. */
int items_new(struct items **out, const Ipp__Tasks *tasks, struct blob *payload,
	      struct ipp_error *err);
void items_unref(struct items *items); /* NULL is fine */

/* Where the texts of many wait: in memory as far as there is room for them, then in an unlinked
 * file in $TMPDIR.  `fd` is -1 at the beginning, the rest zero; it outlives its items. */
struct items_room {
	size_t memory_bytes;
	int fd;
	off_t file_bytes;
	size_t n_in_file;
};

/* They will not be sent at once.  Where the file cannot be written, they wait in memory. */
void items_wait(struct items *items, struct items_room *room);

/* Tasks from .. to-1 of a request, in one queue at a time. */
struct slice {
	struct slice *next;
	uint64_t request;    /* its id */
	struct items *items; /* one reference; NULL for a direct view's task */
	uint64_t from, to;
	uint32_t losses;    /* engines lost while they ran the first of them */
	uint32_t tries;	    /* how often its one task was run and failed; 0 where there are more */
	uint32_t strays;    /* likewise, by a signal to its whole step, which is no try */
	uint32_t failed_on; /* engine where it last did, if it ever did */
	double task_us;	    /* what each was thought to take when it was handed out */
};

struct slices {
	struct slice *first;
	struct slice **last;
	uint64_t n_tasks;
};

/* A slice (gives; takes nothing, references `items`); NULL when out of memory. */
struct slice *slice_new(uint64_t request, struct items *items, uint64_t from, uint64_t to);
void slice_free(struct slice *slice);

void slices_init(struct slices *slices);
void slices_append(struct slices *slices, struct slice *slice);	 /* takes */
void slices_prepend(struct slices *slices, struct slice *slice); /* takes */
struct slice *slices_pop(struct slices *slices);		 /* gives; NULL when empty */

/* Take up to `n` tasks off the front, from one slice (gives); NULL when empty or out of memory. */
struct slice *slices_take(struct slices *slices, uint64_t n);

/* The same from the slice at `at`, which points to it in `slices`. */
struct slice *slices_take_at(struct slices *slices, struct slice **at, uint64_t n);

/* Move the last `n` tasks of `request` to the front of `to`, in their order.  0, or -ERANGE (there
 * are not so many) or -ENOMEM, and nothing was moved. */
int slices_move_last(struct slices *slices, uint64_t request, uint64_t n, struct slices *to);

/* Whether `results` are those of the first tasks, in turn: then slices_finish_first() for each. */
bool slices_in_turn(const struct slices *slices, const Ipp__Results *results);

/* The first task is finished: drop it. */
void slices_finish_first(struct slices *slices);

/* Whether any of them is of `request`. */
bool slices_have(const struct slices *slices, uint64_t request);

/* That with this task of `request`, or NULL. */
const struct slice *slices_find(const struct slices *slices, uint64_t request, uint64_t index);

/* Free the slices of `request`, or those of which `test` is true; how many tasks they had. */
typedef bool slice_test_fn(const struct slice *slice, const void *arg);
uint64_t slices_drop(struct slices *slices, uint64_t request);
uint64_t slices_drop_if(struct slices *slices, slice_test_fn *test, const void *arg);
void slices_clear(struct slices *slices);

/* Send a TASKS frame with the slice's items.  0, or -ENOMEM or -EIO, and nothing was sent. */
int slice_send(const struct slice *slice, struct link *link);

#endif
