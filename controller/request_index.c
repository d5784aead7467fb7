#include "controller/request_index.h"

#include <errno.h>
#include <search.h>

#include "controller/request.h"

static int by_id(const void *a, const void *b)
{
	const struct request *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int request_index_add(struct request_index *index, struct request *request)
{
	return tsearch(request, &index->root, by_id) ? 0 : -ENOMEM;
}

void request_index_remove(struct request_index *index, const struct request *request)
{
	tdelete(request, &index->root, by_id);
}

struct request *request_find(const struct request_index *index, uint64_t id)
{
	const struct request wanted = {.id = id};
	struct request *const *found = tfind(&wanted, &index->root, by_id);

	return found ? *found : NULL;
}
