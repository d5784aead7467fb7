/* controller/recall.h - tasks that wait at an engine behind one that takes longer than was thought,
 * taken back when another engine has nothing to do.
 *
 * Only the engine knows what its worker has begun: it is asked, is given nothing until it has
 * answered with how many it had not, and these go back to the front of their queue.  An engine has
 * as many as a user said that it may have (`--chunk`, `--hwm`), whatever runs.  But where nothing
 * of a map is to begin any more (curfew.h), all that waits is taken back.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_RECALL_H
#define IPP_CONTROLLER_RECALL_H

struct cluster;
struct engine;
struct frame;
struct ipp_error;

/* The scheduler has handed out what it could: ask where there is something to take back. */
void recall_look(struct cluster *cluster);

/* The RECALL that an engine sent back.  0, -EPROTO or -ENOMEM. */
int recall_answered(struct engine *engine, const struct frame *frame, struct ipp_error *err);

#endif
