/* client/array_text.h - the items of an array for people, in one line: [[1, 2.5], [3, 4]].
 *
 * Thread: any. */
#ifndef IPP_CLIENT_ARRAY_TEXT_H
#define IPP_CLIENT_ARRAY_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "client/ipp/client.h"

#define ARRAY_TEXT_MAX                                                                             \
	1000 /* items; of more, the first and last 3 along each long axis, as NumPy */

#define ARRAY_TEXT_BYTES_MAX 65536 /* of their texts, where they are texts */

/* Whether array_text_print() has something to say: the data is there, and is not of 16 bytes a
 * real number.  Of an array with very many axes, or long texts, there may be too much even so. */
bool array_text_fits(const struct ipp_value *array);

/* The items of an array that fits.  A number reads back as the number that it is, texts and raw
 * bytes stand between quotes as Python writes them, dates as date_text() does. */
void array_text_print(FILE *out, const struct ipp_value *array);

#endif
