/* libFuzzer target: templates and items from anywhere.  `template_fuzz FILE` replays one input: its
 * first line is the template's only word, the rest the item. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"
#include "proto/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *text = malloc(bytes + 1);
	struct ipp_error err;
	char *line_end;

	if (!text)
		abort();
	memcpy(text, data, bytes);
	text[bytes] = '\0';
	line_end = memchr(text, '\n', bytes);
	if (line_end) {
		struct template_task task = {.item = line_end + 1, .index = 41};
		char **words = NULL;
		int rc;

		*line_end = '\0';
		task.item_bytes = bytes - (size_t)(task.item - text);
		task.n_values = 1;
		for (size_t i = 0; i < task.item_bytes; i++)
			task.n_values += task.item[i] == '\0';
		rc = template_fill(&words, &text, 1, &task, &err);
		if (rc == 0)
			assert(words[0] && strlen(words[0]) <= TEMPLATE_WORD_MAX);
		else
			assert((rc == -E2BIG || rc == -EINVAL) && !strchr(err.text, '\n'));
		template_free(words);
	}
	free(text);
	return 0;
}
