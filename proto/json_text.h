/* proto/json_text.h - what people typed, in JSON, which is UTF-8 and which that need not be.
 *
 * Thread: any. */
#ifndef IPP_PROTO_JSON_TEXT_H
#define IPP_PROTO_JSON_TEXT_H

#include <jansson.h>

/* `text` (borrows) with U+FFFD for each byte that is no part of a character (gives).  NULL when out
 * of memory. */
json_t *json_text(const char *text);

#endif
