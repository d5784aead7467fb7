/* libFuzzer target: connection files from anywhere.  `connection_fuzz FILE` replays one input.
 * What is read must be written and read again unchanged. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/connection.h"
#include "proto/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct connection connection, again;
	struct ipp_error err;
	char *text;

	if (connection_parse(&connection, (const char *)data, bytes, "input", &err) < 0) {
		assert(err.text[0] && !strchr(err.text, '\n'));
		return 0;
	}
	text = connection_text(&connection);
	if (!text || connection_parse(&again, text, strlen(text), "again", &err) < 0)
		abort();
	assert(strcmp(connection.job, again.job) == 0);
	assert(strcmp(connection.host, again.host) == 0);
	assert(strcmp(connection.unix_name, again.unix_name) == 0);
	assert(connection.n_addresses == again.n_addresses);
	for (size_t i = 0; i < again.n_addresses; i++)
		assert(strcmp(connection.addresses[i], again.addresses[i]) == 0);
	assert(!connection.identity_pem == !again.identity_pem);
	free(text);
	connection_fini(&connection);
	connection_fini(&again);
	return 0;
}
