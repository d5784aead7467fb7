#include "controller/ranks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64

static int make_room(struct ranks *ranks, size_t n_words)
{
	uint64_t *room;

	if (n_words <= ranks->n_words)
		return 0;
	room = realloc(ranks->words, n_words * sizeof(*room));
	if (!room)
		return -ENOMEM;
	memset(room + ranks->n_words, 0, (n_words - ranks->n_words) * sizeof(*room));
	ranks->words = room;
	ranks->n_words = n_words;
	return 0;
}

int ranks_add(struct ranks *ranks, uint32_t rank)
{
	const size_t word = rank / WORD_BITS;

	if (make_room(ranks, word + 1) < 0)
		return -ENOMEM;
	ranks->words[word] |= UINT64_C(1) << rank % WORD_BITS;
	return 0;
}

bool ranks_have(const struct ranks *ranks, uint32_t rank)
{
	const size_t word = rank / WORD_BITS;

	return word < ranks->n_words && (ranks->words[word] >> rank % WORD_BITS & 1);
}

bool ranks_remove(struct ranks *ranks, uint32_t rank)
{
	if (!ranks_have(ranks, rank))
		return false;
	ranks->words[rank / WORD_BITS] &= ~(UINT64_C(1) << rank % WORD_BITS);
	return true;
}

void ranks_keep(struct ranks *ranks, const struct ranks *others)
{
	for (size_t i = 0; i < ranks->n_words; i++)
		ranks->words[i] &= i < others->n_words ? others->words[i] : 0;
}

int ranks_join(struct ranks *ranks, const struct ranks *others)
{
	if (make_room(ranks, others->n_words) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < others->n_words; i++)
		ranks->words[i] |= others->words[i];
	return 0;
}

void ranks_fini(struct ranks *ranks)
{
	free(ranks->words);
	*ranks = (struct ranks){0};
}
