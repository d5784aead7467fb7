#include "proto/identity.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"

#define VALID_DAYS 3650 /* nobody reads the dates: the fingerprint is what counts */

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

static int tls_fail(struct ipp_error *err, const char *what)
{
	char reason[128];

	ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
	ERR_clear_error();
	return ipp_fail(err, EIO, "slurm-ipp: cannot %s: OpenSSL says %s", what, reason);
}

static X509 *self_sign(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = x ? X509_get_subject_name(x) : NULL;

	if (name && X509_set_version(x, X509_VERSION_3) &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -24L * 3600) &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 24L * 3600 * VALID_DAYS) &&
	    X509_set_pubkey(x, key) &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"slurm-ipp",
				       -1, -1, 0) &&
	    X509_set_issuer_name(x, name) && X509_sign(x, key, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}

int identity_new(struct identity **out, struct ipp_error *err)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	if (!identity)
		return ipp_fail(err, ENOMEM, "slurm-ipp: out of memory making a certificate");
	identity->key = EVP_EC_gen("P-256");
	identity->certificate = identity->key ? self_sign(identity->key) : NULL;
	if (!identity->certificate) {
		identity_free(identity);
		return tls_fail(err, "make a certificate");
	}
	*out = identity;
	return 0;
}

int identity_from_pem(struct identity **out, const char *pem, struct ipp_error *err)
{
	struct identity *identity = calloc(1, sizeof(*identity));
	BIO *bio = BIO_new_mem_buf(pem, -1);
	int rc = 0;

	if (!identity || !bio) {
		rc = ipp_fail(err, ENOMEM, "slurm-ipp: out of memory reading a certificate");
		goto out;
	}
	identity->certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	identity->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	if (!identity->certificate || !identity->key) {
		ERR_clear_error();
		rc = ipp_fail(
			err, EINVAL,
			"slurm-ipp: the certificate and key of this connection are not valid PEM");
		goto out;
	}
	*out = identity;
	identity = NULL;
out:
	BIO_free(bio);
	identity_free(identity);
	return rc;
}

char *identity_pem(const struct identity *identity)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	char *data;
	long bytes;

	if (bio && PEM_write_bio_X509(bio, identity->certificate) &&
	    PEM_write_bio_PrivateKey(bio, identity->key, NULL, NULL, 0, NULL, NULL)) {
		bytes = BIO_get_mem_data(bio, &data);
		text = strndup(data, (size_t)bytes);
	}
	BIO_free(bio);
	return text;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
	free(identity);
}

static struct fingerprint digest(const X509 *certificate)
{
	struct fingerprint fingerprint = {{0}};

	X509_digest(certificate, EVP_sha256(), fingerprint.sha256, NULL);
	return fingerprint;
}

struct fingerprint identity_fingerprint(const struct identity *identity)
{
	return digest(identity->certificate);
}

void fingerprint_text(const struct fingerprint *fingerprint, char text[FINGERPRINT_TEXT_BYTES])
{
	for (size_t i = 0; i < FINGERPRINT_BYTES; i++)
		sprintf(text + 2 * i, "%02x", fingerprint->sha256[i]);
}

int fingerprint_parse(struct fingerprint *out, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(text) != 2 * FINGERPRINT_BYTES || strspn(text, digits) != 2 * FINGERPRINT_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < FINGERPRINT_BYTES; i++)
		out->sha256[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 |
					   (strchr(digits, text[2 * i + 1]) - digits));
	return 0;
}

/* Any certificate passes here: who the peer is is decided by its fingerprint, after the handshake.
 */
static int accept_any(int preverified, X509_STORE_CTX *store)
{
	(void)preverified;
	(void)store;
	return 1;
}

SSL_CTX *identity_tls_context(const struct identity *identity)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());

	if (context && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
	    SSL_CTX_use_certificate(context, identity->certificate) == 1 &&
	    SSL_CTX_use_PrivateKey(context, identity->key) == 1) {
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   accept_any);
		/* A process that was killed says no goodbye; where it matters, frames do. */
		SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
		/* Peers are pinned anew each time; nothing is resumed. */
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_num_tickets(context, 0);
		return context;
	}
	SSL_CTX_free(context);
	ERR_clear_error();
	return NULL;
}

int tls_peer(SSL *ssl, struct fingerprint *out)
{
	X509 *certificate = SSL_get1_peer_certificate(ssl);

	if (!certificate)
		return -ENOENT;
	*out = digest(certificate);
	X509_free(certificate);
	return 0;
}
