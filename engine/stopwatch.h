/* engine/stopwatch.h - for how long a task has run, less the time for which its step was suspended.
 *
 * Nobody is told of that: who is stopped himself finds, at his next look, that far more time has
 * passed than he meant to wait.  Hence who has a limit to keep looks at least every
 * STOPWATCH_LOOK_US; suspensions of up to twice that time may count.  Thread: any. */
#ifndef IPP_ENGINE_STOPWATCH_H
#define IPP_ENGINE_STOPWATCH_H

#include <stdint.h>

#define STOPWATCH_LOOK_US 500000

struct stopwatch {
	int64_t looked_us, ran_us;
};

int64_t stopwatch_clock_us(void); /* CLOCK_MONOTONIC */

/* It has run since `start_us` of that clock. */
void stopwatch_start(struct stopwatch *watch, int64_t start_us);

/* Look: what is left of `limit_us`; 0 or less: nothing. */
int64_t stopwatch_left_us(struct stopwatch *watch, int64_t limit_us);

/* The same for poll(), which returns for the next look: 0, nothing is left; -1, for ever, where
 * limit_ms is 0. */
int stopwatch_wait_ms(struct stopwatch *watch, uint32_t limit_ms);

#endif
