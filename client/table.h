/* client/table.h - what a model is fitted to: a design matrix and a target, all of it finite.
 *
 * Messages name the file and where in it, and end in what to do.  Thread: any. */
#ifndef IPP_CLIENT_TABLE_H
#define IPP_CLIENT_TABLE_H

#include <stddef.h>

struct ipp_error;

struct table {
	size_t n;  /* rows, at least 1 */
	size_t p;  /* features, at least 1 */
	double *x; /* n * p, row by row */
	double *y; /* n; NULL when no target was asked for */
};

/* Free what it owns and empty it; an empty one is fine. */
void table_fini(struct table *table);

/* Read a 2-d array and a 1-d one as long, of any real dtype, from .npy files.  *out is filled when
 * this returns 0.  -errno of open and read, -EINVAL for files or numbers that will not do, -ENOTSUP
 * for dtypes that are no real numbers, -ENOMEM.  y_path may be NULL: features alone. */
int table_from_npy(struct table *out, const char *x_path, const char *y_path,
		   struct ipp_error *err);

/* Read a CSV file: see client/csv.h for `target` and the rules.  Returns likewise. */
int table_from_csv(struct table *out, const char *path, const char *target, struct ipp_error *err);

#endif
