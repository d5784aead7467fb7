/* client/timeline.h - which engine did what when. */
#ifndef IPP_CLIENT_TIMELINE_H
#define IPP_CLIENT_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "client/ipp/client.h"

struct span {	       /* one task */
	uint64_t item; /* what people know it by, such as a row */
	uint32_t engine;
	int64_t started_us; /* CLOCK_REALTIME of its engine */
	uint64_t elapsed_us;
};

struct timeline {
	struct span *spans;
	size_t n;
	double task_seconds; /* sum of what the tasks took */
};

/* Note a task's end. 0 or -ENOMEM. */
int timeline_add(struct timeline *timeline, uint64_t item, const struct ipp_result *result);
void timeline_fini(struct timeline *timeline); /* an empty one is fine */

#endif
