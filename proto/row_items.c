#include "proto/row_items.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/error.h"

int row_items_init(struct row_items *out, const struct ipp_value *array, const char *whence,
		   struct ipp_error *err)
{
	struct npy whole;
	int rc;

	if (array->kind != IPP_ARRAY || array->n_dims == 0)
		return ipp_fail(err, EINVAL,
				"%s: has no rows to be items: give an array of one axis or more",
				whence);
	rc = npy_init(&whole, array->dtype, array->n_dims, array->shape, array->fortran_order,
		      whence, err);
	if (rc < 0)
		return rc;
	if (whole.data_bytes != array->bytes)
		return ipp_fail(err, EINVAL, "%s: %zu bytes are no array of that dtype and shape",
				whence, array->bytes);
	if (whole.fortran)
		return ipp_fail(err, EINVAL,
				"%s: is in Fortran order, where a row does not lie in one piece: "
				"save np.ascontiguousarray() of it",
				whence);
	out->n = array->shape[0];
	out->data = array->data;
	return npy_init(&out->row, whole.dtype, whole.n_dims - 1, whole.shape + 1, false, whence,
			err);
}

void row_items_get(const struct row_items *rows, uint64_t i, struct ipp_value *out,
		   char text[ROW_ITEM_TEXT])
{
	const struct npy *row = &rows->row;
	const uint8_t *at = rows->data ? rows->data + i * row->data_bytes : NULL;
	int64_t integer;
	double real;

	if (row->n_dims == 0 && npy_integer(row, at, &integer)) {
		snprintf(text, ROW_ITEM_TEXT, "%" PRId64, integer);
		*out = (struct ipp_value){.kind = IPP_INTEGER,
					  .integer = integer,
					  .real = (double)integer,
					  .text = text};
	} else if (row->n_dims == 0 && npy_doubles(row, at, &real, "", NULL) == 0) {
		snprintf(text, ROW_ITEM_TEXT, "%.17g", real);
		*out = (struct ipp_value){.kind = IPP_REAL, .real = real, .text = text};
	} else {
		*out = (struct ipp_value){.kind = IPP_ARRAY,
					  .text = "",
					  .bytes = row->data_bytes,
					  .dtype = row->dtype,
					  .shape = row->shape,
					  .n_dims = row->n_dims,
					  .data = at};
	}
}
