#include "client/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ipp/client.h"
#include "client/pieces.h"
#include "proto/error.h"
#include "proto/template.h"

struct range {
	int64_t start, step;
	uint64_t count;
};

/* One list of values. */
struct list {
	int (*next)(struct list *list, bool wait, struct ipp_error *err); /* as feed_next() */
	int (*rewind)(struct list *list, struct ipp_error *err);
	char **words;
	struct range range;
	struct pieces pieces;
	uint64_t at, count; /* UINT64_MAX: only reading tells */

	const char *value; /* what next() found */
	size_t bytes;
	char *copy; /* of a value of a file, while other lists go on */
	char number[32];
};

struct feed {
	char separator;
	size_t item_max;
	struct list lists[TEMPLATE_VALUES_MAX];
	size_t n_lists;
	bool begun;
	char *item; /* the values of several lists */
	size_t room;
};

struct feed *feed_new(char separator, size_t item_max)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return NULL;
	feed->separator = separator;
	feed->item_max = item_max;
	return feed;
}

static int next_piece(struct list *list, bool wait, struct ipp_error *err);

void feed_free(struct feed *feed)
{
	if (!feed)
		return;
	for (size_t i = 0; i < feed->n_lists; i++) {
		if (feed->lists[i].next == next_piece)
			pieces_close(&feed->lists[i].pieces);
		free(feed->lists[i].copy);
	}
	free(feed->item);
	free(feed);
}

/* ---- lists of words ---- */

static int next_word(struct list *list, bool wait, struct ipp_error *err)
{
	(void)wait;
	(void)err;
	if (list->at == list->count)
		return 0;
	list->value = list->words[list->at++];
	list->bytes = strlen(list->value);
	return 1;
}

static int begin_again(struct list *list, struct ipp_error *err)
{
	(void)err;
	list->at = 0;
	return 0;
}

/* ---- ranges ---- */

/* "START:STOP" or "START:STOP:STEP"; false: something else. */
static bool read_numbers(const char *word, int64_t numbers[3], size_t *n)
{
	char *end;

	for (*n = 0; *n < 3; word = end + 1) {
		if (*word != '-' && (*word < '0' || *word > '9'))
			return false;
		errno = 0;
		numbers[(*n)++] = strtoll(word, &end, 10);
		if (errno != 0 || end == word)
			return false;
		if (*end != ':')
			return *end == '\0' && *n >= 2;
	}
	return false;
}

/* 0; -EINVAL: it is no range; -ERANGE: a step that leads nowhere, which err names. */
static int read_range(struct range *range, const char *word, struct ipp_error *err)
{
	int64_t numbers[3] = {0, 0, 1};
	uint64_t span;
	size_t n;

	if (!read_numbers(word, numbers, &n))
		return -EINVAL;
	*range = (struct range){.start = numbers[0], .step = numbers[2]};
	if (range->step == 0)
		return ipp_fail(
			err, ERANGE,
			"ipp-run map: the range %.60s has a step of 0 and would never end: give another step",
			word);
	if ((range->step > 0) != (numbers[1] > numbers[0]) || numbers[0] == numbers[1])
		return 0;
	span = range->step > 0 ? (uint64_t)numbers[1] - (uint64_t)numbers[0]
			       : (uint64_t)numbers[0] - (uint64_t)numbers[1];
	range->count =
		(span - 1) / (range->step > 0 ? (uint64_t)range->step : -(uint64_t)range->step) + 1;
	return 0;
}

static int64_t range_value(const struct list *list)
{
	return (int64_t)((uint64_t)list->range.start + list->at * (uint64_t)list->range.step);
}

static int next_number(struct list *list, bool wait, struct ipp_error *err)
{
	(void)wait;
	(void)err;
	if (list->at == list->count)
		return 0;
	list->value = list->number;
	list->bytes = (size_t)snprintf(list->number, sizeof(list->number), "%" PRId64,
				       range_value(list));
	list->at++;
	return 1;
}

/* ---- files ---- */

static int next_piece(struct list *list, bool wait, struct ipp_error *err)
{
	return pieces_next(&list->pieces, wait, &list->value, &list->bytes, err);
}

static int rewind_pieces(struct list *list, struct ipp_error *err)
{
	return pieces_rewind(&list->pieces, err);
}

/* ---- lists ---- */

static struct list *add_list(struct feed *feed, struct ipp_error *err)
{
	if (feed->n_lists == TEMPLATE_VALUES_MAX) {
		ipp_fail(
			err, E2BIG,
			"ipp-run map: more than %d lists of items: put values that belong together into one item",
			TEMPLATE_VALUES_MAX);
		return NULL;
	}
	return &feed->lists[feed->n_lists++];
}

static int add_range(struct feed *feed, const struct range *range, struct ipp_error *err)
{
	struct list *list = add_list(feed, err);

	if (!list)
		return -E2BIG;
	*list = (struct list){
		.next = next_number, .rewind = begin_again, .range = *range, .count = range->count};
	return 0;
}

static int add_words(struct feed *feed, char **words, size_t n, struct ipp_error *err)
{
	struct range range;
	struct list *list;

	if (n == 1) {
		const int rc = read_range(&range, words[0], err);

		if (rc == 0)
			return add_range(feed, &range, err);
		if (rc != -EINVAL)
			return rc;
	}
	list = add_list(feed, err);
	if (!list)
		return -E2BIG;
	*list = (struct list){.next = next_word, .rewind = begin_again, .words = words, .count = n};
	return 0;
}

int feed_words(struct feed *feed, char **words, size_t n, struct ipp_error *err)
{
	size_t from = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i <= n; i++)
		if (i == n || strcmp(words[i], ":::") == 0) {
			rc = add_words(feed, words + from, i - from, err);
			from = i + 1;
		}
	return rc;
}

int feed_range(struct feed *feed, const char *word, struct ipp_error *err)
{
	struct range range;
	const int rc = read_range(&range, word, err);

	if (rc == -EINVAL)
		return ipp_fail(err, EINVAL,
				"ipp-run map: '%.100s' behind the function is no range START:STOP "
				"or START:STOP:STEP; items stand behind :::",
				word);
	return rc < 0 ? rc : add_range(feed, &range, err);
}

int feed_file(struct feed *feed, const char *path, struct ipp_error *err)
{
	struct list *list = add_list(feed, err);
	int rc;

	if (!list)
		return -E2BIG;
	for (const struct list *other = feed->lists; other < list; other++)
		if (strcmp(path, "-") == 0 && other->next == next_piece &&
		    other->pieces.fd == STDIN_FILENO) {
			feed->n_lists--;
			return ipp_fail(err, EINVAL,
					"ipp-run map: stdin is one list of items, and "
					"cannot be read for another: give that behind :::, or in a "
					"file with -a");
		}
	*list = (struct list){.next = next_piece, .rewind = rewind_pieces, .count = UINT64_MAX};
	rc = pieces_open(&list->pieces, path, feed->separator, feed->item_max, err);
	if (rc < 0)
		feed->n_lists--;
	return rc;
}

size_t feed_n_lists(const struct feed *feed)
{
	return feed->n_lists;
}

bool feed_count(const struct feed *feed, uint64_t *n)
{
	*n = feed->n_lists > 0;
	for (size_t i = 0; i < feed->n_lists; i++)
		if (feed->lists[i].count == UINT64_MAX ||
		    __builtin_mul_overflow(*n, feed->lists[i].count, n))
			return false;
	return true;
}

int feed_fd(const struct feed *feed)
{
	const struct list *first = &feed->lists[0];

	return feed->n_lists > 0 && first->next == next_piece && !first->pieces.plain
		       ? first->pieces.fd
		       : -1;
}

/* ---- items ---- */

/* A file's value lies where the next is read to; while other lists turn, it must stay. */
static int keep_value(struct list *list, struct ipp_error *err)
{
	char *copy;

	if (list->next != next_piece)
		return 0;
	copy = realloc(list->copy, list->bytes + 1);
	if (!copy)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory for an item of %zu bytes",
				list->bytes);
	memcpy(copy, list->value, list->bytes + 1);
	list->value = list->copy = copy;
	return 0;
}

static int next_of(struct list *list, bool wait, struct ipp_error *err)
{
	int rc = list->next(list, wait, err);

	if (rc == 1 && memchr(list->value, '\0', list->bytes))
		return ipp_fail(err, EINVAL,
				"ipp-run map: a NUL byte is in an item of several lists; with -0, "
				"items end at each NUL");
	if (rc == 1 && keep_value(list, err) < 0)
		rc = -ENOMEM;
	return rc;
}

/* Turn list i on, and where it is at its end begin it again with the next value of the list before.
 * Only the first list is waited for. */
static int turn(struct feed *feed, size_t i, bool wait, struct ipp_error *err)
{
	struct list *list = &feed->lists[i];
	int rc = next_of(list, wait || i > 0, err);

	if (rc != 0 || i == 0)
		return rc;
	rc = turn(feed, i - 1, wait, err);
	if (rc != 1)
		return rc;
	rc = list->rewind(list, err);
	return rc < 0 ? rc : next_of(list, true, err);
}

static int begin(struct feed *feed, bool wait, struct ipp_error *err)
{
	int rc = next_of(&feed->lists[0], wait, err);

	for (size_t i = 1; rc == 1 && i < feed->n_lists; i++)
		rc = next_of(&feed->lists[i], true, err);
	feed->begun = rc == 1;
	return rc;
}

/* The values one behind the other, a NUL between them. */
static int join(struct feed *feed, struct ipp_value *item, struct ipp_error *err)
{
	size_t bytes = 0;
	char *at;

	for (size_t i = 0; i < feed->n_lists; i++)
		bytes += feed->lists[i].bytes + 1;
	if (bytes > feed->room) {
		char *room = realloc(feed->item, 2 * bytes);

		if (!room)
			return ipp_fail(err, ENOMEM,
					"ipp-run: out of memory for an item of %zu bytes", bytes);
		feed->item = room;
		feed->room = 2 * bytes;
	}
	at = feed->item;
	for (size_t i = 0; i < feed->n_lists; i++) {
		memcpy(at, feed->lists[i].value, feed->lists[i].bytes);
		at += feed->lists[i].bytes;
		*at++ = '\0';
	}
	*item = (struct ipp_value){.kind = IPP_TEXT, .text = feed->item, .bytes = bytes - 1};
	return 1;
}

static int next_of_one(struct list *list, bool wait, struct ipp_value *item, struct ipp_error *err)
{
	int rc;

	if (list->next == next_number) {
		if (list->at == list->count)
			return 0;
		*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = range_value(list)};
		list->at++;
		return 1;
	}
	rc = list->next(list, wait, err);
	*item = (struct ipp_value){.kind = IPP_TEXT, .text = list->value, .bytes = list->bytes};
	return rc;
}

int feed_next(struct feed *feed, bool wait, struct ipp_value *item, struct ipp_error *err)
{
	int rc;

	if (feed->n_lists <= 1)
		return feed->n_lists ? next_of_one(&feed->lists[0], wait, item, err) : 0;
	rc = feed->begun ? turn(feed, feed->n_lists - 1, wait, err) : begin(feed, wait, err);
	return rc == 1 ? join(feed, item, err) : rc;
}
