#include "client/timeline.h"

#include <errno.h>
#include <stdlib.h>

int timeline_add(struct timeline *timeline, uint64_t item, const struct ipp_result *result)
{
	/* Doubled whenever the length is a power of two. */
	if ((timeline->n & (timeline->n - 1)) == 0) {
		const size_t room = timeline->n ? 2 * timeline->n : 1;
		struct span *spans = reallocarray(timeline->spans, room, sizeof(*spans));

		if (!spans)
			return -ENOMEM;
		timeline->spans = spans;
	}
	timeline->spans[timeline->n++] = (struct span){.item = item,
						       .engine = result->engine,
						       .started_us = result->started_us,
						       .elapsed_us = result->elapsed_us};
	timeline->task_seconds += (double)result->elapsed_us * 1e-6;
	return 0;
}

void timeline_fini(struct timeline *timeline)
{
	free(timeline->spans);
	*timeline = (struct timeline){0};
}
