/* libFuzzer target: numbers and items as people write them.  `ranges_fuzz FILE` replays one input:
 * a byte that bounds the numbers, a line with such as --targets has, and the words behind ":::",
 * one a line. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/feed.h"
#include "client/ipp/client.h"
#include "client/ranges.h"
#include "proto/error.h"

#define WORDS_MAX 64
#define ITEMS_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void choose(const char *text, size_t bound)
{
	struct ipp_error err;
	size_t *numbers, n = 0;

	if (ranges_parse(&numbers, &n, text, bound, "--targets", "engine", &err) < 0) {
		assert(err.text[0]);
		return;
	}
	assert(n > 0 && n <= bound && numbers[n - 1] < bound);
	for (size_t i = 1; i < n; i++)
		assert(numbers[i - 1] < numbers[i]);
	free(numbers);
}

static void feed(char **words, size_t n)
{
	struct feed *items = feed_new('\n', 1000);
	struct ipp_value item;
	struct ipp_error err;
	uint64_t said = UINT64_MAX, got = 0;
	int rc = feed_words(items, words, n, &err);

	if (rc == 0 && !feed_count(items, &said))
		said = UINT64_MAX;
	while (rc == 0 && got < ITEMS_MAX && feed_next(items, true, &item, &err) == 1)
		got++;
	assert(rc < 0 || got == ITEMS_MAX || said == UINT64_MAX || got == said);
	feed_free(items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *text = bytes > 0 ? strndup((const char *)data + 1, bytes - 1) : NULL, *rest = text;
	char *words[WORDS_MAX];
	size_t n = 0;

	if (!text)
		return 0;
	choose(strsep(&rest, "\n"), data[0]);
	while (rest && n < WORDS_MAX)
		words[n++] = strsep(&rest, "\n");
	feed(words, n);
	free(text);
	return 0;
}
