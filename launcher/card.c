#include "launcher/card.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"
#include "proto/json_text.h"

void card_fini(struct card *card)
{
	free(card->host);
	free(card->unix_name);
	free(card->error);
	*card = (struct card){0};
}

char *card_text(const struct card *card)
{
	json_t *json = json_pack("{s:s, s:s}", "host", card->host, "fingerprint",
				 card->fingerprint);
	char *text = NULL;
	int rc = 0;

	if (card->unix_name) {
		json_t *addresses = json_array();

		for (size_t i = 0; i < card->n_addresses; i++)
			rc |= json_array_append_new(addresses, json_string(card->addresses[i]));
		rc |= json_object_set_new(json, "unix", json_string(card->unix_name));
		rc |= json_object_set_new(json, "addresses", addresses);
	}
	if (card->error) {
		rc |= json_object_set_new(json, "error", json_text(card->error));
		rc |= json_object_set_new(json, "exit", json_integer(card->exit_code));
	}
	if (rc == 0)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

static char *copy_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

static int take_addresses(struct card *out, const json_t *addresses)
{
	const size_t n = json_array_size(addresses);

	if (n > ADDRESS_MOST)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(addresses, i));

		if (!text || strlen(text) >= ADDRESS_TEXT_BYTES)
			return -EINVAL;
		strcpy(out->addresses[i], text);
	}
	out->n_addresses = n;
	return 0;
}

int card_parse(struct card *out, const char *text, unsigned rank, struct ipp_error *err)
{
	const char *host, *fingerprint, *unix_name = NULL, *error = NULL;
	json_t *addresses = NULL, *json = json_loads(text, 0, NULL);
	int rc = -EINVAL;

	*out = (struct card){0};
	if (json_unpack(json, "{s:s, s:s, s?:s, s?:o, s?:s, s?:i}", "host", &host, "fingerprint",
			&fingerprint, "unix", &unix_name, "addresses", &addresses, "error", &error,
			"exit", &out->exit_code) == 0 &&
	    strlen(fingerprint) < sizeof(out->fingerprint)) {
		strcpy(out->fingerprint, fingerprint);
		out->host = strdup(host);
		out->unix_name = copy_of(unix_name);
		out->error = copy_of(error);
		rc = take_addresses(out, addresses);
	}
	json_decref(json);
	if (rc < 0) {
		card_fini(out);
		return ipp_fail(
			err, -rc,
			"rank %u handed out a card that cannot be read; is the same version of "
			"slurm-ipp on all nodes?",
			rank);
	}
	return 0;
}
