/* proto/row_items.h - the rows of an array as items of a map.
 *
 * A row is what an index along the first axis leaves: of an array of one axis a number, else an
 * array with the other axes.  Thread: any. */
#ifndef IPP_PROTO_ROW_ITEMS_H
#define IPP_PROTO_ROW_ITEMS_H

#include "engine/ipp/module.h"
#include "proto/npy.h"

struct ipp_error;

struct row_items {
	uint64_t n;
	struct npy row;	     /* what each is like */
	const uint8_t *data; /* borrowed from the array */
};

/* Of a value that may be anything; `whence` begins the messages.  0, or -EINVAL: it is no whole
 * array, has no axis, or is in Fortran order, where a row does not lie in one piece; or as
 * npy_init(). */
int row_items_init(struct row_items *out, const struct ipp_value *array, const char *whence,
		   struct ipp_error *err);

/* Row i, below n (borrows from `rows` and the array).  A number's digits are put in `text`; one
 * beyond int64_t is a real, and what is no real number is an array of shape (). */
#define ROW_ITEM_TEXT 32
void row_items_get(const struct row_items *rows, uint64_t i, struct ipp_value *out,
		   char text[ROW_ITEM_TEXT]);

#endif
