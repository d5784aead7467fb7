/* controller/request_index.h - requests by their ids, however many there are.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_REQUEST_INDEX_H
#define IPP_CONTROLLER_REQUEST_INDEX_H

#include <stdint.h>

struct request;

/* All zero is the empty one. */
struct request_index {
	void *root; /* tsearch(3)'s */
};

/* Add one whose id is not there (borrows it until it is removed).  0 or -ENOMEM. */
int request_index_add(struct request_index *index, struct request *request);
void request_index_remove(struct request_index *index, const struct request *request);

struct request *request_find(const struct request_index *index, uint64_t id); /* NULL: not there */

#endif
