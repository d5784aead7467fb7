#include "engine/namespace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"
#include "proto/frame.h"
#include "proto/variable.h"

#define TEXT_LISTED 60 /* bytes */

static void named_free(struct named *named)
{
	ipp__push__free_unpacked(named->push, NULL);
	blob_unref(named->payload);
	free(named);
}

void namespace_clear(struct namespace *names)
{
	while (names->first) {
		struct named *next = names->first->next;

		named_free(names->first);
		names->first = next;
	}
}

/* Where the variable of that name is, or belongs. */
static struct named **place(struct namespace *names, const char *name)
{
	struct named **at = &names->first;

	while (*at && strcmp((*at)->push->value->name, name) < 0)
		at = &(*at)->next;
	return at;
}

static bool is_called(const struct named *named, const char *name)
{
	return named && strcmp(named->push->value->name, name) == 0;
}

int namespace_set(struct namespace *names, Ipp__Push *push, struct blob *payload)
{
	struct named **at = place(names, push->value->name);
	struct named *named = calloc(1, sizeof(*named));

	if (!named) {
		ipp__push__free_unpacked(push, NULL);
		return -ENOMEM;
	}
	*named = (struct named){.next = *at, .push = push, .payload = blob_ref(payload)};
	if (is_called(*at, push->value->name)) {
		named->next = (*at)->next;
		named_free(*at);
	}
	*at = named;
	return 0;
}

bool namespace_remove(struct namespace *names, const char *name)
{
	struct named **at = place(names, name);
	struct named *named = *at;

	if (!is_called(named, name))
		return false;
	*at = named->next;
	named_free(named);
	return true;
}

uint64_t namespace_serial(const struct namespace *names, const char *name)
{
	const struct named *named = *place((struct namespace *)names, name);

	return is_called(named, name) ? named->push->serial : 0;
}

const struct named *namespace_of_serial(const struct namespace *names, uint64_t serial)
{
	const struct named *named = names->first;

	while (named && named->push->serial != serial)
		named = named->next;
	return named;
}

void namespace_tell(const struct namespace *names, struct link *worker)
{
	for (const struct named *named = names->first; named; named = named->next)
		link_send(worker, FRAME_PUSH, &named->push->base, named->payload);
}

void namespace_pull(const struct namespace *names, const Ipp__Pull *pull, uint32_t rank,
		    struct link *link)
{
	const struct named *named = *place((struct namespace *)names, pull->name);
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT;
	Ipp__Result *one = &result;
	char text[VARIABLE_NAME_MAX + 64];

	result.index = pull->index;
	result.engine = rank;
	if (is_called(named, pull->name)) {
		result.value = named->push->value;
	} else {
		snprintf(text, sizeof(text), "engine %u has no variable '%s'", rank, pull->name);
		result.outcome = IPP__OUTCOME__ERROR;
		result.code = ENOENT;
		result.error = text;
		named = NULL;
	}
	results.request = pull->request;
	results.n_results = 1;
	results.results = &one;
	link_send(link, FRAME_RESULTS, &results.base, named ? named->payload : NULL);
}

/* How much of a text is listed: it ends between two characters of UTF-8. */
static size_t listed_bytes(const char *text)
{
	size_t n = strnlen(text, TEXT_LISTED + 1);

	if (n <= TEXT_LISTED)
		return n;
	n = TEXT_LISTED;
	while (n > TEXT_LISTED - 3 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* A text is cut short: the list is a frame's head, which has a bound. */
static Ipp__Value heading(const Ipp__Value *value, char text[TEXT_LISTED + 1])
{
	Ipp__Value out = *value;

	if (value->kind_case != IPP__VALUE__KIND_TEXT)
		return out;
	snprintf(text, TEXT_LISTED + 1, "%.*s", (int)listed_bytes(value->text), value->text);
	out.text = text;
	return out;
}

void namespace_list(const struct namespace *names, const Ipp__List *list, uint32_t rank,
		    struct link *link)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result answer = IPP__RESULT__INIT;
	Ipp__Result *one = &answer;
	struct listed {
		Ipp__Value value;
		char text[TEXT_LISTED + 1];
	} * each;
	size_t n = 0;

	for (const struct named *named = names->first; named; named = named->next)
		n++;
	results.request = list->request;
	results.n_results = 1;
	results.results = &one;
	answer.index = list->index;
	answer.engine = rank;
	answer.variables = calloc(n + 1, sizeof(*answer.variables));
	each = calloc(n + 1, sizeof(*each));
	for (const struct named *named = names->first; named && answer.variables && each;
	     named = named->next) {
		struct listed *listed = &each[answer.n_variables];

		listed->value = heading(named->push->value, listed->text);
		answer.variables[answer.n_variables++] = &listed->value;
	}
	if (!answer.variables || !each)
		answer.error = (char *)"it is out of memory";
	if (ipp__results__get_packed_size(&results) > FRAME_HEAD_MAX) {
		answer.n_variables = 0;
		answer.error = (char *)"it has too many variables to list";
	}
	if (answer.error[0]) {
		answer.outcome = IPP__OUTCOME__ERROR;
		answer.code = ENOMEM;
	}
	link_send(link, FRAME_RESULTS, &results.base, NULL);
	free(answer.variables);
	free(each);
}
