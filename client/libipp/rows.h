/* client/libipp/rows.h - arrays cut and joined along their first axis.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_LIBIPP_ROWS_H
#define IPP_CLIENT_LIBIPP_ROWS_H

#include "client/ipp/client.h"
#include "proto/npy.h"

struct ipp_error;

/* Describe an array value; `whence` begins the messages.  0 or a negative errno. */
int rows_describe(struct npy *out, const struct ipp_value *value, const char *whence,
		  struct ipp_error *err);

/* First row of share `i` of `n` shares of n_rows, as np.array_split cuts; share n begins behind the
 * last row. */
uint64_t rows_share(uint64_t n_rows, size_t n, size_t i);

/* The part of `whole` that has n_rows of its rows: the same but for its shape. */
struct npy rows_part(const struct npy *whole, uint64_t n_rows);

/* Copy rows first .. first+n-1 of `whole`, which lies at `data`, out to a part, or in from one.
 * Both are in the order that `whole` says. */
void rows_out(const struct npy *whole, const uint8_t *data, uint64_t first, uint64_t n,
	      uint8_t *part);
void rows_in(const struct npy *whole, uint8_t *data, uint64_t first, uint64_t n,
	     const uint8_t *part);

/* Copy an array in Fortran order to one in C order. */
void rows_to_c_order(const struct npy *array, const uint8_t *data, uint8_t *out);

#endif
