#include "proto/alert.h"

#include <event2/event.h>
#include <sched.h>
#include <time.h>

#define ALERT_US 200
#define SLICE_US 1000	  /* who gives the CPU away and gets it back so late has company */
#define CROWDED_US 100000 /* which is expected to stay so long */

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

void alert_raise(struct alert *alert)
{
	alert->until_us = now_us() + ALERT_US;
}

int alert_turn(struct alert *alert, struct event_base *base)
{
	const int64_t begin_us = now_us();

	if (begin_us >= alert->until_us || begin_us < alert->crowded_until_us)
		return event_base_loop(base, EVLOOP_ONCE);
	sched_yield();
	if (now_us() - begin_us >= SLICE_US)
		alert->crowded_until_us = begin_us + CROWDED_US;
	return event_base_loop(base, EVLOOP_NONBLOCK);
}

void alert_dispatch(struct alert *alert, struct event_base *base)
{
	while (alert_turn(alert, base) == 0 && !event_base_got_break(base) &&
	       !event_base_got_exit(base))
		;
}
