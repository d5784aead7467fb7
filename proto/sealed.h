/* proto/sealed.h - bytes on a sealed memfd: text for a child, or a large payload for a neighbour.
 */
#ifndef IPP_PROTO_SEALED_H
#define IPP_PROTO_SEALED_H

#include <stddef.h>

struct ipp_error;

/* A memfd (gives; close-on-exec) that holds `bytes` of `data`, sealed against any change.
 * Returns the descriptor or -errno. */
int sealed_new(const char *name, const void *data, size_t bytes, struct ipp_error *err);

#endif
