/* engine/worker.h - run what arrives on a link, one task after another.
 *
 * Thread: the worker's only one. */
#ifndef IPP_ENGINE_WORKER_H
#define IPP_ENGINE_WORKER_H

#include <stdint.h>

struct event_base;
struct outbox;
struct progress;

/* Serve until the engine closes the link.
 *   link_fd  taken      progress, outbox  shared with the engine (outbox.h)
 *   out, err what this process' stdout and stderr lead to, see capture.h */
void worker_run(struct event_base *base, int link_fd, struct progress *progress,
		struct outbox *outbox, uint32_t rank, int out, int err);

#endif
