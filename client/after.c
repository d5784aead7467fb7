#include "client/after.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/verb.h"
#include "proto/error.h"

/* The words before the ids; behind the last of them. */
static const char *take_words(struct ipp_condition *condition, const char *text)
{
	static const struct {
		const char *word;
		struct ipp_condition condition;
	} words[] = {
		{"any:", {.any = true}},
		{"failed:", {.ending = IPP_BADLY}},
		{"ended:", {.ending = IPP_EITHER}},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const size_t length = strlen(words[i].word);

		if (strncmp(text, words[i].word, length) != 0)
			continue;
		condition->any |= words[i].condition.any;
		condition->ending |= words[i].condition.ending;
		text += length;
	}
	return text;
}

static int add_id(struct after *after, const char *option, const char *text, size_t length,
		  struct ipp_error *err)
{
	char id[VERB_ID_BYTES + 1];

	if (after->n == AFTER_MAX)
		return ipp_fail(
			err, E2BIG,
			"ipp-run: %s names more than %d requests: wait for some of them before",
			option, AFTER_MAX);
	snprintf(id, sizeof(id), "%.*s", (int)length, text);
	return verb_request_id(length < sizeof(id) ? id : text, &after->ids[after->n++], err);
}

int after_take(struct after *after, const char *option, const char *text, struct ipp_error *err)
{
	struct ipp_condition condition = {0};
	const char *id = take_words(&condition, text);
	int rc = 0;

	if (after->n > 0 &&
	    (condition.any != after->condition.any || condition.ending != after->condition.ending))
		return ipp_fail(err, EINVAL,
				"ipp-run: %s %.60s: with another condition than the %s before it; "
				"one condition holds for all of them",
				option, text, option);
	after->condition = condition;
	for (const char *end = id; rc == 0 && end; id = end + 1) {
		end = strchr(id, ',');
		rc = add_id(after, option, id, end ? (size_t)(end - id) : strlen(id), err);
	}
	return rc;
}
