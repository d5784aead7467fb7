#include "controller/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ids_add(struct ids *ids, uint64_t id)
{
	uint64_t *room = realloc(ids->at, (ids->n + 1) * sizeof(*room));

	if (!room)
		return -ENOMEM;
	ids->at = room;
	ids->at[ids->n++] = id;
	return 0;
}

bool ids_remove(struct ids *ids, uint64_t id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (ids->at[i] == id) {
			ids->n--;
			memmove(ids->at + i, ids->at + i + 1, (ids->n - i) * sizeof(*ids->at));
			return true;
		}
	return false;
}

bool ids_have(const struct ids *ids, uint64_t id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (ids->at[i] == id)
			return true;
	return false;
}
