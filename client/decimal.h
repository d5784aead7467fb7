/* client/decimal.h - decimal text as the nearest double, whatever the locale, and back.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_DECIMAL_H
#define IPP_CLIENT_DECIMAL_H

#include <stdbool.h>

/* Read all of [begin, end) as [+-]digits[.digits][e[+-]digits], correctly rounded, as strtod() does
 * in the C locale.  *end must be readable and not go on with the number: NUL, comma, quote, blank.
 * Returns 0, -EINVAL (no such number; "nan", "inf" and "0x1p3" are none) or -ERANGE (beyond the
 * largest double; what is too small for any is rounded to 0). */
int decimal_parse(const char *begin, const char *end, double *out);

/* As few digits as read back as `value`, of a `single` as a float: in `text`, which is returned. */
#define DECIMAL_BYTES 32
const char *decimal_text(double value, bool single, char text[DECIMAL_BYTES]);

#endif
