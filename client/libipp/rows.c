#include "client/libipp/rows.h"

#include <errno.h>
#include <string.h>

#include "proto/error.h"

int rows_describe(struct npy *out, const struct ipp_value *value, const char *whence,
		  struct ipp_error *err)
{
	int rc;

	if (value->kind != IPP_ARRAY)
		return ipp_fail(
			err, EINVAL,
			"%s: is a single value, not an array: give an array, such as that of a file.npy",
			whence);
	rc = npy_init(out, value->dtype, value->n_dims, value->shape, value->fortran_order, whence,
		      err);
	if (rc == 0 && out->data_bytes != value->bytes)
		rc = ipp_fail(err, EINVAL, "%s: %zu bytes are no array of that dtype and shape",
			      whence, value->bytes);
	return rc;
}

uint64_t rows_share(uint64_t n_rows, size_t n, size_t i)
{
	const uint64_t longer = n_rows % n; /* shares with a row more; they come first */

	return i * (n_rows / n) + (i < longer ? i : longer);
}

struct npy rows_part(const struct npy *whole, uint64_t n_rows)
{
	const uint64_t all = whole->shape[0];
	struct npy part = *whole;

	part.shape[0] = n_rows;
	part.n_items = all ? whole->n_items / all * n_rows : 0;
	part.data_bytes = part.n_items * part.item_bytes;
	return part;
}

/* In C order rows are in one piece; in Fortran order each column has a strip of them. */
struct strips {
	size_t n, bytes, step, offset;
};

static struct strips strips_of(const struct npy *whole, uint64_t first, uint64_t n)
{
	const size_t rows = whole->shape[0];
	const size_t columns = rows ? whole->n_items / rows : 0;

	if (!whole->fortran)
		return (struct strips){.n = 1,
				       .bytes = n * columns * whole->item_bytes,
				       .offset = first * columns * whole->item_bytes};
	return (struct strips){.n = columns,
			       .bytes = n * whole->item_bytes,
			       .step = rows * whole->item_bytes,
			       .offset = first * whole->item_bytes};
}

void rows_out(const struct npy *whole, const uint8_t *data, uint64_t first, uint64_t n,
	      uint8_t *part)
{
	const struct strips strips = strips_of(whole, first, n);

	for (size_t i = 0; strips.bytes && i < strips.n; i++)
		memcpy(part + i * strips.bytes, data + strips.offset + i * strips.step,
		       strips.bytes);
}

void rows_in(const struct npy *whole, uint8_t *data, uint64_t first, uint64_t n,
	     const uint8_t *part)
{
	const struct strips strips = strips_of(whole, first, n);

	for (size_t i = 0; strips.bytes && i < strips.n; i++)
		memcpy(data + strips.offset + i * strips.step, part + i * strips.bytes,
		       strips.bytes);
}

void rows_to_c_order(const struct npy *array, const uint8_t *data, uint8_t *out)
{
	uint64_t index[NPY_DIMS_MAX] = {0};
	size_t stride[NPY_DIMS_MAX];
	size_t step = array->item_bytes;
	size_t at = 0;

	for (size_t axis = 0; axis < array->n_dims; axis++) {
		stride[axis] = step;
		step *= array->shape[axis];
	}
	for (size_t item = 0; item < array->n_items; item++) {
		memcpy(out + item * array->item_bytes, data + at, array->item_bytes);
		for (size_t axis = array->n_dims; axis-- > 0;) {
			at += stride[axis];
			if (++index[axis] < array->shape[axis])
				break;
			at -= stride[axis] * index[axis];
			index[axis] = 0;
		}
	}
}
