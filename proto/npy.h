/* proto/npy.h - NumPy's .npy format: describe an array in a buffer, write a header, read as
 * doubles.
 *
 * Reference: numpy.lib.format of NumPy 1.24.  Read are versions 1.0, 2.0 and 3.0 and every plain
 * dtype in either byte order; structured dtypes and pickled objects are refused.  Written is what
 * np.save writes, to the byte; that is version 1.0 always, for the longest header of a plain dtype
 * is far below the 64 KiB from which NumPy chooses 2.0, and 3.0 is for names of fields.
 * `whence` names the source (a file's path) at the start of each message.  Thread: any. */
#ifndef IPP_PROTO_NPY_H
#define IPP_PROTO_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipp_error;

#define NPY_DIMS_MAX 64	    /* NumPy 2's limit; NumPy 1's is 32 */
#define NPY_DTYPE_BYTES 24  /* a dtype's text with its NUL */
#define NPY_HEADER_MAX 2048 /* enough for NPY_DIMS_MAX lengths of 20 digits */

struct npy {
	char dtype[NPY_DTYPE_BYTES]; /* as dtype.str: "<f8", "|b1", "<U5", ">M8[ns]" */
	bool fortran;		     /* column-major: the first index varies fastest */
	size_t n_dims;		     /* 0: a single item */
	uint64_t shape[NPY_DIMS_MAX];
	size_t n_items;	    /* product of shape */
	size_t item_bytes;  /* "<U5" has 20 */
	size_t data_bytes;  /* n_items * item_bytes */
	size_t data_offset; /* of the first item in the buffer; 0 from npy_init() */
};

/* Whether a file's name says that it is one: it ends in ".npy". */
bool npy_is_named(const char *path);

/* Describe an array by its dtype and shape.  The dtype is normalised as NumPy does ("=f8" becomes
 * "<f8", ">i1" becomes "|i1"), and so is `fortran`: true only where it differs from row-major.
 * Returns 0, -EINVAL (no plain dtype), -ENOTSUP (pickled objects) or -EOVERFLOW (too many
 * dimensions or bytes); *out is filled on success only. */
int npy_init(struct npy *out, const char *dtype, size_t n_dims, const uint64_t *shape, bool fortran,
	     const char *whence, struct ipp_error *err);

/* Describe the array that the .npy file in buffer[0..bytes) holds; bytes after it are ignored, as
 * np.load ignores them.  All of its data is in the buffer when this returns 0.  Otherwise as
 * npy_init(), and -EINVAL for what is no .npy file, or a malformed one, or one cut short. */
int npy_parse(struct npy *out, const void *buffer, size_t bytes, const char *whence,
	      struct ipp_error *err);

/* Write the header that np.save puts before such an array's data; returns its length, a multiple of
 * 64. */
size_t npy_header(const struct npy *npy, char out[NPY_HEADER_MAX]);

/* The shape as Python prints it: "(500, 50)", "(3,)", "()"; cut to fit, with "..." at the end. */
void npy_shape_text(const struct npy *npy, char *out, size_t out_bytes);

/* Convert to n_items row-major doubles (borrows `data`, the first item, of any alignment).  Real
 * numbers and booleans: b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8; 64-bit integers are rounded to the
 * nearest double, NaN and infinities are kept.  -ENOTSUP for any other dtype. */
int npy_doubles(const struct npy *npy, const void *data, double *out, const char *whence,
		struct ipp_error *err);

/* Read one item of any alignment as an integer: of b1 i1 i2 i4 i8 u1 u2 u4 u8.  False: it is of
 * another dtype, or beyond int64_t. */
bool npy_integer(const struct npy *npy, const void *item, int64_t *out);

#endif
