/* client/journal/digest.h - SHA-256 of one thing after another.
 *
 * Thread: one thread. */
#ifndef IPP_CLIENT_JOURNAL_DIGEST_H
#define IPP_CLIENT_JOURNAL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32

struct digest;

struct digest *digest_new(void);	 /* gives; NULL when out of memory */
void digest_free(struct digest *digest); /* NULL is fine */
void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *bytes, size_t n);
void digest_end(struct digest *digest, uint8_t out[DIGEST_BYTES]);

#endif
