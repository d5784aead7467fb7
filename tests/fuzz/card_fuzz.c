/* libFuzzer target: cards that other ranks put into PMIx.  `card_fuzz FILE` replays one input.
 * What is read must be written and read again unchanged. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/card.h"
#include "proto/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *text = strndup((const char *)data, bytes), *written;
	struct card card, again;
	struct ipp_error err;

	if (!text)
		abort();
	if (card_parse(&card, text, 3, &err) < 0) {
		assert(strstr(err.text, "rank 3") && !strchr(err.text, '\n'));
		free(text);
		return 0;
	}
	written = card_text(&card);
	assert(written && card_parse(&again, written, 3, &err) == 0);
	assert(same(card.host, again.host) && same(card.fingerprint, again.fingerprint));
	assert(same(card.unix_name, again.unix_name) && same(card.error, again.error));
	/* Addresses are rank 0's, which has a Unix socket as well. */
	assert(again.n_addresses == (card.unix_name ? card.n_addresses : 0));
	for (size_t i = 0; i < again.n_addresses; i++)
		assert(same(card.addresses[i], again.addresses[i]));
	card_fini(&card);
	card_fini(&again);
	free(written);
	free(text);
	return 0;
}
