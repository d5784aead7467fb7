/* client/date_text.h - NumPy's moments and lengths of time (M8 and m8) for people.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_DATE_TEXT_H
#define IPP_CLIENT_DATE_TEXT_H

#include <stdint.h>

/* `value`, in the units of the plain dtype, in `text`, which is returned: an ISO 8601 date as far
 * as the unit goes, such as 2026-11-24T22:25 of M8[m]; a number of m8, of M8 without a unit, and of
 * what lies beyond all years; NaT. */
#define DATE_TEXT_BYTES 64
const char *date_text(int64_t value, const char *dtype, char text[DATE_TEXT_BYTES]);

#endif
