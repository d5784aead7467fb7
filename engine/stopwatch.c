#include "engine/stopwatch.h"

#include <time.h>

int64_t stopwatch_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

void stopwatch_start(struct stopwatch *watch, int64_t start_us)
{
	*watch = (struct stopwatch){.looked_us = start_us};
}

int64_t stopwatch_left_us(struct stopwatch *watch, int64_t limit_us)
{
	const int64_t now_us = stopwatch_clock_us();
	const int64_t passed_us = now_us - watch->looked_us;

	watch->looked_us = now_us;
	watch->ran_us += passed_us > 2 * STOPWATCH_LOOK_US ? STOPWATCH_LOOK_US : passed_us;
	return limit_us - watch->ran_us;
}

int stopwatch_wait_ms(struct stopwatch *watch, uint32_t limit_ms)
{
	const int64_t left_us = stopwatch_left_us(watch, limit_ms * INT64_C(1000));

	if (limit_ms == 0)
		return -1;
	if (left_us <= 0)
		return 0;
	return (int)((left_us < STOPWATCH_LOOK_US ? left_us : STOPWATCH_LOOK_US) + 999) / 1000;
}
