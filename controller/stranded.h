/* controller/stranded.h - maps that may run only on engines that are gone.
 *
 * An engine that was lost comes back within seconds, if its guard lives.  After that nobody waits
 * for it.  Thread: loop thread only. */
#ifndef IPP_CONTROLLER_STRANDED_H
#define IPP_CONTROLLER_STRANDED_H

struct cluster;
struct event;
struct request;

/* The timer for cluster->stranded (gives); NULL when out of memory. */
struct event *stranded_new(struct cluster *cluster);

/* A request may begin, or, of all of them, an engine was lost: one whose last engine was lost 10 s
 * ago ends then. */
void stranded_watch(const struct request *request);
void stranded_watch_all(const struct cluster *cluster);

#endif
