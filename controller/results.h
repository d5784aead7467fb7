/* controller/results.h - what engines say that became of their tasks.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_RESULTS_H
#define IPP_CONTROLLER_RESULTS_H

struct engine;
struct frame;
struct ipp_error;

/* A RESULTS frame of an engine: counted, and on its way to the request's client.  0, or -EPROTO:
 * the engine is not to be trusted. */
int results_take(struct engine *engine, const struct frame *frame, struct ipp_error *err);

#endif
