/* engine/share.h - payloads of pushes and calls among the engines of one node: one of them, the
 * lead, is sent the bytes over the network, and its neighbours get them from it, large ones as the
 * same sealed memory.
 *
 * Neighbours meet at an abstract Unix socket with a random name and ask the kernel for each other's
 * user.  Thread: loop thread only. */
#ifndef IPP_ENGINE_SHARE_H
#define IPP_ENGINE_SHARE_H

#include <stdint.h>

#include "proto/link.h"

struct event_base;
struct ipp_error;
struct share;

struct share_events {
	/* The payload of number `serial` for a neighbour (borrowed); NULL when it is not here. */
	struct blob *(*find)(void *owner, uint64_t serial);
	/* The end of share_fetch(): the payload (borrowed), or NULL when the neighbour does not
	 * give it, or is silent. */
	void (*on_fetched)(void *owner, uint64_t serial, struct blob *payload);
};

/* Listen for neighbours (gives; borrows `events`).  NULL and the reason. */
struct share *share_open(struct event_base *base, const char *job,
			 const struct share_events *events, void *owner, struct ipp_error *err);
void share_close(struct share *share); /* NULL is fine */

const char *share_name(const struct share *share);

/* Number `serial` has come, or never will: give it to those who wait for it, or refuse them.  Who
 * asks for it or an earlier one that is not here is refused from now on, and not left waiting. */
void share_arrived(struct share *share, uint64_t serial);

/* Ask the neighbour that listens at `name`; one at a time.  on_fetched() comes from the loop. */
void share_fetch(struct share *share, const char *name, uint64_t serial);

/* Forget what was asked for, if anything: on_fetched() does not come. */
void share_give_up(struct share *share);

#endif
