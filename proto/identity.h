/* proto/identity.h - a throw-away certificate, and the fingerprint that others pin.
 *
 * Each process that speaks TLS makes itself one (EC P-256, self-signed).  Who it is follows from
 * the SHA-256 fingerprint of the certificate alone, which is public and travels over PMIx.
 * Thread: any; an identity is used by one thread at a time. */
#ifndef IPP_PROTO_IDENTITY_H
#define IPP_PROTO_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

struct ipp_error;
struct identity; /* opaque: key and certificate */
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

#define FINGERPRINT_BYTES 32
struct fingerprint {
	uint8_t sha256[FINGERPRINT_BYTES];
};
#define FINGERPRINT_TEXT_BYTES (2 * FINGERPRINT_BYTES + 1) /* lower-case hex and NUL */

/* Make a new one (gives *out).  0, -ENOMEM or -EIO (OpenSSL's reason in *err). */
int identity_new(struct identity **out, struct ipp_error *err);

/* From certificate and key as PEM text (gives *out).  0 or -EINVAL. */
int identity_from_pem(struct identity **out, const char *pem, struct ipp_error *err);

/* Certificate and private key as PEM text (gives; free()).  NULL when out of memory.
 * Secret: only for memfds of our own children and 0600 files. */
char *identity_pem(const struct identity *identity);

void identity_free(struct identity *identity); /* NULL is fine */
struct fingerprint identity_fingerprint(const struct identity *identity);

void fingerprint_text(const struct fingerprint *fingerprint, char text[FINGERPRINT_TEXT_BYTES]);
int fingerprint_parse(struct fingerprint *out, const char *text); /* 0 or -EINVAL */

/* A TLS 1.3 context that presents `identity` (borrows) and asks the other end for a certificate,
 * which is accepted whatever it says: the caller must look at tls_peer() before it believes
 * anything.  Gives; NULL when out of memory. */
SSL_CTX *identity_tls_context(const struct identity *identity);

/* Fingerprint of the certificate that the peer proved to hold.  0, or -ENOENT when it sent none. */
int tls_peer(SSL *ssl, struct fingerprint *out);

#endif
