/* proto/alert.h - a loop that stays awake for a moment when something is about to come.
 *
 * A CPU that went idle is back after 25 us in a virtual machine: as long as a short task takes,
 * with all that passes it on.  Thread: the loop's. */
#ifndef IPP_PROTO_ALERT_H
#define IPP_PROTO_ALERT_H

#include <stdint.h>

struct event_base;

struct alert {
	int64_t until_us;	  /* CLOCK_MONOTONIC, as all here */
	int64_t crowded_until_us; /* others want the CPU: there is no use in staying awake */
};

/* Something may come within some 0.2 ms. */
void alert_raise(struct alert *alert);

/* One turn of the loop, which polls while the alert lasts and then sleeps until something happens.
 * While it polls, others who want the CPU have it.  As event_base_loop(). */
int alert_turn(struct alert *alert, struct event_base *base);

/* event_base_dispatch() with such turns. */
void alert_dispatch(struct alert *alert, struct event_base *base);

#endif
