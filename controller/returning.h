/* controller/returning.h - engines that were lost and should be back soon: their guards start them
 * again within 3 s.  While one is away, 'all engines' is not told, and what is for it waits.
 *
 * One that stays away for longer, as its guard or node has gone, is not waited for again until it
 * has registered.  Of a cluster that was started by hand none is, for there engines come and go.
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_RETURNING_H
#define IPP_CONTROLLER_RETURNING_H

#include <stdbool.h>
#include <stdint.h>

struct cluster;
struct engine;
struct event;

/* The timer for cluster->returning (gives); NULL when out of memory. */
struct event *returning_new(struct cluster *cluster);

/* This engine was lost just now. */
void returning_await(struct engine *engine);

/* It has registered again, and has what had been pushed to it. */
void returning_came(struct engine *engine);

/* Whether any is awaited. */
bool returning_any(const struct cluster *cluster);

/* The engine of that rank, live or awaited; else NULL. */
struct engine *returning_find(const struct cluster *cluster, uint32_t rank);

#endif
