#include "proto/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHARACTER_MAX 4
#define REPLACEMENT "\xef\xbf\xbd"

/* How many bytes the character at `text` has; 0: there is none. */
static size_t character_bytes(const char *text)
{
	const size_t most = strnlen(text, CHARACTER_MAX);

	for (size_t n = 1; n <= most; n++) {
		json_t *one = json_stringn(text, n);

		json_decref(one);
		if (one)
			return n;
	}
	return 0;
}

json_t *json_text(const char *text)
{
	json_t *out = json_string(text);
	char *replaced = NULL;
	size_t bytes, n;
	FILE *stream;

	if (out)
		return out;
	stream = open_memstream(&replaced, &bytes);
	if (!stream)
		return NULL;
	for (; *text; text += n > 0 ? n : 1) {
		n = character_bytes(text);
		if (n > 0)
			fwrite(text, 1, n, stream);
		else
			fputs(REPLACEMENT, stream);
	}
	if (fclose(stream) == 0)
		out = json_string(replaced);
	free(replaced);
	return out;
}
