/* proto/dial.h - reach the controller that a connection describes.
 *
 * On the controller's own node that is its Unix socket.  From elsewhere its addresses are tried in
 * order, DIAL_STAGGER_MS apart, and the first that proves to hold the pinned certificate wins.
 * Thread: the loop's. */
#ifndef IPP_PROTO_DIAL_H
#define IPP_PROTO_DIAL_H

struct connection;
struct event_base;
struct ipp_error;
struct link;
struct dial;

#define DIAL_STAGGER_MS 250

/* Called once: with a link to use (takes; events are still those of nobody: link_own() it), or
 * with NULL and the reason. The dial is over then; free it, here if you like. */
typedef void dial_done_fn(void *owner, struct link *link, const struct ipp_error *why);

/* Begin (gives; borrows `connection` until dial_free).  `done` comes from the loop, at the latest
 * after `timeout_ms`.  NULL when out of memory. */
struct dial *dial_start(struct event_base *base, const struct connection *connection,
			int timeout_ms, dial_done_fn *done, void *owner);
void dial_free(struct dial *dial); /* NULL is fine */

/* Options every TCP socket of ours gets: no delay, and a silent peer noticed within 10 s. */
void tcp_tune(int fd);

#endif
