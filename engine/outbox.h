/* engine/outbox.h - results that wait in a worker for company, in memory that its engine sees.
 *
 * A worker that runs a long task cannot send what the short ones before it gave; its engine takes
 * that then, and when the worker is dead.  Thread: one of each process. */
#ifndef IPP_ENGINE_OUTBOX_H
#define IPP_ENGINE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob;
struct link;

#define OUTBOX_HEAD_BYTES (64u << 10)
#define OUTBOX_PAYLOAD_BYTES (256u << 10)

/* All zero: empty. */
struct outbox {
	uint32_t held; /* not 0: one of the two is at it */
	uint32_t n_results;
	uint32_t head_bytes, payload_bytes; /* in use */
	uint64_t n_sent;		    /* frames that the worker has put on its link */
	uint8_t head[OUTBOX_HEAD_BYTES];    /* packed messages that make one: a Results */
	uint8_t payload[OUTBOX_PAYLOAD_BYTES];
};

/* ---- the worker ---- */

/* Hold it, with room for that much more of head and payload, which belong behind what is there;
 * false: there is no such room, or a task wrote over it, and it is not held. */
bool outbox_open(struct outbox *outbox, size_t head_bytes, size_t payload_bytes);

/* A result was put there, of so many bytes. */
void outbox_close(struct outbox *outbox, size_t head_bytes, size_t payload_bytes);

/* Send what is in it, if anything.  0, -ENOMEM, or -EPROTO: a task wrote over it. */
int outbox_send(struct outbox *outbox, struct link *link);

/* ---- the engine ---- */

/* Take what is in it (gives both; *payload NULL: there is none); false when that is nothing, or
 * when frames before it are still to come, or when the worker is at it, or died at it.
 *   n_heard  frames that came on the link */
bool outbox_take(struct outbox *outbox, uint64_t n_heard, uint8_t **head, size_t *head_bytes,
		 struct blob **payload);

#endif
