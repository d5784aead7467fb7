/* controller/lead.h - how bytes reach a node once: the first of its engines is sent them, the
 * others are told to get them from that one, their lead.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_LEAD_H
#define IPP_CONTROLLER_LEAD_H

#include <stdbool.h>
#include <stdint.h>

struct blob;
struct engine;

/* Whether neighbours of that engine are to hand on this payload (may be NULL): it is on another
 * node than we, and the payload is not so small that it is sent sooner than it is asked for. */
bool lead_could_be(const struct engine *engine, const struct blob *payload);

/* Another engine of the same node that has number `id`, or is about to, by has(); NULL: none. */
const struct engine *lead_of(const struct engine *engine,
			     bool (*has)(const struct engine *other, uint64_t id), uint64_t id);

#endif
