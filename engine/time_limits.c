#include "engine/time_limits.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "engine/progress.h"

/* Between looks at a worker that does not say what it is at, or does not die. */
#define AGAIN_US 1000

/* Look again when the task that runs would be late; and the next one may begin at once and have a
 * shorter limit. */
static void look_again(struct time_limits *limits, int64_t in_us)
{
	struct timeval wait;

	if (in_us > STOPWATCH_LOOK_US)
		in_us = STOPWATCH_LOOK_US;
	for (const struct time_limit *limit = limits->first; limit; limit = limit->next)
		if (limit->us < in_us)
			in_us = limit->us;
	wait = (struct timeval){.tv_sec = in_us / 1000000, .tv_usec = in_us % 1000000};
	if (limits->first)
		event_add(limits->timer, &wait);
}

static struct time_limit *find(const struct time_limits *limits, uint64_t request)
{
	struct time_limit *limit = limits->first;

	while (limit && limit->request != request)
		limit = limit->next;
	return limit;
}

static void look(struct time_limits *limits)
{
	const struct time_limit *limit;
	struct progress task = {0};
	int64_t left_us;

	if (!limits->running(limits->owner, &task)) {
		look_again(limits, AGAIN_US);
		return;
	}
	limit = task.running ? find(limits, task.request) : NULL;
	if (!limit) {
		look_again(limits, STOPWATCH_LOOK_US);
		return;
	}
	if (limits->start_us != task.start_us) {
		limits->start_us = task.start_us;
		stopwatch_start(&limits->watch, task.start_us);
	}
	left_us = stopwatch_left_us(&limits->watch, limit->us);
	if (left_us <= 0)
		limits->late(limits->owner, &task);
	look_again(limits, left_us > AGAIN_US ? left_us : AGAIN_US);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	look(arg);
}

int time_limits_init(struct time_limits *limits, struct event_base *base)
{
	limits->timer = evtimer_new(base, timer_cb, limits);
	return limits->timer ? 0 : -ENOMEM;
}

void time_limits_fini(struct time_limits *limits)
{
	while (limits->first)
		time_limits_drop(limits, limits->first->request);
	if (limits->timer)
		event_free(limits->timer);
}

int time_limits_set(struct time_limits *limits, uint64_t request, uint32_t ms, uint32_t patience_ms)
{
	struct time_limit *limit = find(limits, request);

	if (ms == 0)
		return 0;
	if (!limit) {
		limit = calloc(1, sizeof(*limit));
		if (!limit)
			return -ENOMEM;
		*limit = (struct time_limit){.next = limits->first, .request = request};
		limits->first = limit;
	}
	limit->ms = ms;
	limit->us = ((int64_t)ms + patience_ms) * 1000;
	look(limits); /* the timer may have been set for later */
	return 0;
}

uint32_t time_limits_get(const struct time_limits *limits, uint64_t request)
{
	const struct time_limit *limit = find(limits, request);

	return limit ? limit->ms : 0;
}

void time_limits_drop(struct time_limits *limits, uint64_t request)
{
	struct time_limit **at = &limits->first;

	while (*at && (*at)->request != request)
		at = &(*at)->next;
	if (*at) {
		struct time_limit *limit = *at;

		*at = limit->next;
		free(limit);
	}
	if (!limits->first)
		event_del(limits->timer);
}
