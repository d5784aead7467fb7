/* engine/time_limits.h - tasks that run longer than their call allows are found here.
 *
 * Thread: loop thread only. */
#ifndef IPP_ENGINE_TIME_LIMITS_H
#define IPP_ENGINE_TIME_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/stopwatch.h"

struct event;
struct event_base;
struct progress;

struct time_limit {
	struct time_limit *next;
	uint64_t request;
	uint32_t ms;
	int64_t us; /* with the patience */
};

struct time_limits {
	/* What runs: false when that cannot be said at the moment. */
	bool (*running)(void *owner, struct progress *out);
	/* That task has run too long; said again until it runs no more. */
	void (*late)(void *owner, const struct progress *task);
	void *owner;
	struct time_limit *first;
	struct event *timer;
	int64_t start_us; /* of the task that was seen last */
	struct stopwatch watch;
};

/* With `running`, `late` and `owner` set.  0 or -ENOMEM. */
int time_limits_init(struct time_limits *limits, struct event_base *base);
void time_limits_fini(struct time_limits *limits);

/* Tasks of `request` may take `ms`, 0 being no limit, and are late `patience_ms` after that.  Looks
 * at once what runs.  0 or -ENOMEM. */
int time_limits_set(struct time_limits *limits, uint64_t request, uint32_t ms,
		    uint32_t patience_ms);
uint32_t time_limits_get(const struct time_limits *limits, uint64_t request); /* ms; 0: none */
void time_limits_drop(struct time_limits *limits, uint64_t request);

#endif
