/* client/csv.h - a table from comma-separated text with a header line (RFC 4180).
 *
 * Lines end in LF, CRLF or CR; empty ones are skipped, blanks around a cell too, and a UTF-8 byte
 * order mark.  Cells are decimal numbers with a point (client/decimal.h), in quotes or not; every
 * column needs a name.  Thread: any. */
#ifndef IPP_CLIENT_CSV_H
#define IPP_CLIENT_CSV_H

#include <stddef.h>

struct ipp_error;
struct table;

/* Read text[0..bytes); text[bytes] must be NUL.
 *   target  the column to predict: its name or, if no column is called so, its number from 1;
 *           every other column is a feature, in the file's order; NULL: all are, and y is NULL
 *   whence  the file's name for messages, which add line and column
 * Returns 0 (*out is filled), -EINVAL or -ENOMEM. */
int csv_table(struct table *out, const char *text, size_t bytes, const char *target,
	      const char *whence, struct ipp_error *err);

#endif
