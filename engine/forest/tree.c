#include "engine/forest/tree.h"

#include <errno.h>
#include <stdlib.h>

int node_list_add(struct node_list *list, struct node node)
{
	if (list->n == list->room) {
		const size_t room = list->room ? list->room + list->room / 2 : 1024;
		struct node *nodes = realloc(list->nodes, room * sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		list->nodes = nodes;
		list->room = room;
	}
	list->nodes[list->n++] = node;
	return 0;
}
