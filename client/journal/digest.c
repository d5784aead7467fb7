#include "client/journal/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
	EVP_MD_CTX *context;
	EVP_MD *sha256; /* fetched once: that costs more than a short digest */
};

struct digest *digest_new(void)
{
	struct digest *digest = calloc(1, sizeof(*digest));

	if (!digest)
		return NULL;
	digest->context = EVP_MD_CTX_new();
	digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (digest->context && digest->sha256)
		return digest;
	digest_free(digest);
	return NULL;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->context);
	EVP_MD_free(digest->sha256);
	free(digest);
}

void digest_begin(struct digest *digest)
{
	EVP_DigestInit_ex2(digest->context, digest->sha256, NULL);
}

void digest_add(struct digest *digest, const void *bytes, size_t n)
{
	EVP_DigestUpdate(digest->context, bytes, n);
}

void digest_end(struct digest *digest, uint8_t out[DIGEST_BYTES])
{
	EVP_DigestFinal_ex(digest->context, out, NULL);
}
