#include "proto/template.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"

struct text {
	const char *at;
	size_t bytes;
};

/* ---- parts of a value, by GNU parallel's rules ---- */

static struct text without_folders(struct text value)
{
	const char *slash = memrchr(value.at, '/', value.bytes);
	const size_t n = slash ? (size_t)(slash - value.at) + 1 : 0;

	return (struct text){value.at + n, value.bytes - n};
}

static struct text without_extension(struct text value)
{
	const struct text name = without_folders(value);
	const char *dot = memrchr(name.at, '.', name.bytes);

	return dot ? (struct text){value.at, (size_t)(dot - value.at)} : value;
}

static struct text name_alone(struct text value)
{
	return without_extension(without_folders(value));
}

/* As dirname(1) has it. */
static struct text folder(struct text value)
{
	size_t n = value.bytes;

	while (n > 1 && value.at[n - 1] == '/')
		n--;
	while (n > 0 && value.at[n - 1] != '/')
		n--;
	if (n == 0)
		return (struct text){".", 1};
	while (n > 1 && value.at[n - 1] == '/')
		n--;
	return (struct text){value.at, n};
}

static struct text whole(struct text value)
{
	return value;
}

/* ---- places ---- */

enum place_kind { PLACE_NONE, PLACE_VALUE, PLACE_NUMBER, PLACE_SLOT };

struct place {
	enum place_kind kind;
	size_t bytes; /* of the word, with its braces */
	size_t which; /* of the values, from 1; 0: all */
	struct text (*part)(struct text value);
};

static const struct {
	const char *name; /* with its closing brace */
	struct text (*part)(struct text value);
} parts[] = {
	{"}", whole},	 {".}", without_extension}, {"/}", without_folders},
	{"//}", folder}, {"/.}", name_alone},
};

static bool read_part(struct place *place, const char *word, const char *at)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const size_t n = strlen(parts[i].name);

		if (strncmp(at, parts[i].name, n) != 0)
			continue;
		place->kind = PLACE_VALUE;
		place->part = parts[i].part;
		place->bytes = (size_t)(at - word) + n;
		return true;
	}
	return false;
}

/* What stands at `word`, which begins with a brace. */
static struct place read_place(const char *word, size_t n_values)
{
	struct place place = {.kind = PLACE_NONE, .bytes = 1};
	const char *at = word + 1;

	if (strncmp(at, "#}", 2) == 0)
		return (struct place){.kind = PLACE_NUMBER, .bytes = 3};
	if (strncmp(at, "%}", 2) == 0)
		return (struct place){.kind = PLACE_SLOT, .bytes = 3};
	while (*at >= '0' && *at <= '9' && place.which <= n_values)
		place.which = 10 * place.which + (size_t)(*at++ - '0');
	if (place.which > n_values || (place.which == 0 && at > word + 1))
		return place;
	read_part(&place, word, at);
	return place;
}

/* ---- one word ---- */

struct filling {
	const struct template_task *task;
	struct text values[TEMPLATE_VALUES_MAX];
	char *word;
	size_t bytes, room;
	bool any; /* something stood for the item */
	struct ipp_error *err;
};

static int append(struct filling *filling, const char *text, size_t bytes)
{
	if (bytes > TEMPLATE_WORD_MAX - filling->bytes)
		return ipp_fail(filling->err, E2BIG,
				"a word of the command would have more than %d bytes, which no "
				"command can be given: put the item into a file, or push it",
				TEMPLATE_WORD_MAX);
	if (filling->bytes + bytes >= filling->room) {
		const size_t room = 2 * filling->room + bytes + 64;
		char *word = realloc(filling->word, room);

		if (!word)
			return ipp_fail(filling->err, ENOMEM, "out of memory for its words");
		filling->word = word;
		filling->room = room;
	}
	if (bytes > 0)
		memcpy(filling->word + filling->bytes, text, bytes);
	filling->bytes += bytes;
	filling->word[filling->bytes] = '\0';
	return 0;
}

static int append_number(struct filling *filling, uint64_t number)
{
	char text[24];
	const int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);

	return append(filling, text, (size_t)n);
}

static int append_part(struct filling *filling, const struct place *place, size_t i)
{
	const struct text part = place->part(filling->values[i]);

	return append(filling, part.at, part.bytes);
}

static int append_place(struct filling *filling, const struct place *place)
{
	int rc = 0;

	switch (place->kind) {
	case PLACE_NONE:
		return append(filling, "{", 1);
	case PLACE_NUMBER:
		rc = append_number(filling, filling->task->index + 1);
		break;
	case PLACE_SLOT:
		rc = append_number(filling, (uint64_t)filling->task->engine + 1);
		break;
	case PLACE_VALUE:
		if (place->which > 0)
			rc = append_part(filling, place, place->which - 1);
		for (size_t i = 0; rc == 0 && place->which == 0 && i < filling->task->n_values;
		     i++) {
			rc = i > 0 ? append(filling, " ", 1) : 0;
			if (rc == 0)
				rc = append_part(filling, place, i);
		}
	}
	filling->any = true;
	return rc;
}

static int fill_word(struct filling *filling, const char *word)
{
	int rc = append(filling, "", 0);

	while (rc == 0 && *word) {
		const size_t n = strcspn(word, "{");

		rc = append(filling, word, n);
		word += n;
		if (rc == 0 && *word) {
			const struct place place = read_place(word, filling->task->n_values);

			rc = append_place(filling, &place);
			word += place.bytes;
		}
	}
	return rc;
}

/* ---- all words ---- */

struct words {
	char **at;
	size_t n;
};

/* The word that was filled in is complete. */
static void take_word(struct words *words, struct filling *filling)
{
	words->at[words->n++] = filling->word;
	filling->word = NULL;
	filling->bytes = filling->room = 0;
}

static int add_values(struct words *words, struct filling *filling)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < filling->task->n_values; i++) {
		rc = append(filling, filling->values[i].at, filling->values[i].bytes);
		if (rc == 0)
			take_word(words, filling);
	}
	filling->any = true;
	return rc;
}

static int add_word(struct words *words, struct filling *filling, const char *word)
{
	int rc;

	if (strcmp(word, "{}") == 0)
		return add_values(words, filling);
	rc = fill_word(filling, word);
	if (rc == 0)
		take_word(words, filling);
	return rc;
}

static int split_item(struct filling *filling)
{
	const struct template_task *task = filling->task;
	const char *at = task->item;
	const char *const end = at + task->item_bytes;
	size_t n = 0;

	for (; n < task->n_values && n < TEMPLATE_VALUES_MAX && at <= end; n++) {
		const char *nul = memchr(at, '\0', (size_t)(end - at));

		filling->values[n] = (struct text){at, (size_t)((nul ? nul : end) - at)};
		at = nul ? nul + 1 : end + 1;
	}
	if (n == task->n_values && at == end + 1)
		return 0;
	return ipp_fail(filling->err, EINVAL,
			"a NUL byte is in the item, which no command can be given: with -0, items "
			"end at each NUL");
}

int template_fill(char ***out, char *const *argv, size_t n_argv, const struct template_task *task,
		  struct ipp_error *err)
{
	struct filling filling = {.task = task, .err = err};
	struct words words = {0};
	int rc = split_item(&filling);

	if (rc < 0)
		return rc;
	/* Each word may become n_values, and as many come last. */
	words.at = calloc((n_argv + 1) * (task->n_values > 0 ? task->n_values : 1) + 1,
			  sizeof(*words.at));
	if (!words.at)
		return ipp_fail(err, ENOMEM, "out of memory for its words");
	for (size_t i = 0; rc == 0 && i < n_argv; i++)
		rc = add_word(&words, &filling, argv[i]);
	if (rc == 0 && !filling.any)
		rc = add_values(&words, &filling);
	free(filling.word);
	if (rc == 0)
		*out = words.at;
	else
		template_free(words.at);
	return rc;
}

int template_copy(char ***out, char *const *argv, size_t n_argv, struct ipp_error *err)
{
	char **words = calloc(n_argv + 1, sizeof(*words));

	if (!words)
		return ipp_fail(err, ENOMEM, "out of memory for its words");
	for (size_t i = 0; i < n_argv; i++) {
		words[i] = strdup(argv[i]);
		if (!words[i]) {
			template_free(words);
			return ipp_fail(err, ENOMEM, "out of memory for its words");
		}
	}
	*out = words;
	return 0;
}

void template_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}
