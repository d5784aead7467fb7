/* launcher/clock.h - CLOCK_MONOTONIC in milliseconds, the same for all processes of a node. */
#ifndef IPP_LAUNCHER_CLOCK_H
#define IPP_LAUNCHER_CLOCK_H

long long clock_ms(void);

/* Milliseconds until `deadline_ms`: 0 when it has passed, at most INT_MAX, for poll(). */
int clock_left_ms(long long deadline_ms);

#endif
