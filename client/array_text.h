/* client/array_text.h - the numbers of an array for people, in one line: [[1, 2.5], [3, 4]].
 *
 * Thread: any. */
#ifndef IPP_CLIENT_ARRAY_TEXT_H
#define IPP_CLIENT_ARRAY_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "client/ipp/client.h"

#define ARRAY_TEXT_MAX                                                                             \
	1000 /* items; of more, the first and last 3 along each long axis, as NumPy */

/* Whether array_text_print() has something to say: they are numbers or truth values, and the data
 * is there.  Of an array with very many axes there may be too many even so. */
bool array_text_fits(const struct ipp_value *array);

/* Those numbers, of an array that fits; each reads back as the number that it is. */
void array_text_print(FILE *out, const struct ipp_value *array);

#endif
