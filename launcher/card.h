/* launcher/card.h - the business card that a rank hands to all others through PMIx.
 *
 * PMIx travels in clear and lies in Slurm's spool folder: a card holds nothing secret.  It is JSON:
 *   {"host":"n1","fingerprint":"hex"}                                      of every rank
 *   {..., "unix":"slurm-ipp/123/..","addresses":["10.0.0.1:7711"]}         of rank 0, besides
 *   {..., "error":"..","exit":127}                                         of a rank that cannot go
 * on Thread: any. */
#ifndef IPP_LAUNCHER_CARD_H
#define IPP_LAUNCHER_CARD_H

#include <stddef.h>

#include "launcher/address.h"
#include "proto/identity.h"

struct ipp_error;

struct card { /* owns all it points to; malloc'ed */
	char *host;
	char fingerprint[FINGERPRINT_TEXT_BYTES];
	char *unix_name; /* rank 0; NULL elsewhere */
	char addresses[ADDRESS_MOST][ADDRESS_TEXT_BYTES];
	size_t n_addresses;
	char *error;   /* NULL: all is well */
	int exit_code; /* with `error` */
};

void card_fini(struct card *card);

/* JSON text (gives; free()); NULL when out of memory.  What in `error` is not UTF-8, as in the name
 * of a file, becomes U+FFFD. */
char *card_text(const struct card *card);

/* *out is filled when it returns 0.  -EINVAL; `rank` is for the message. */
int card_parse(struct card *out, const char *text, unsigned rank, struct ipp_error *err);

#endif
