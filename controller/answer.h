/* controller/answer.h - what clients get for their requests: results, and the end.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_ANSWER_H
#define IPP_CONTROLLER_ANSWER_H

#include <stdbool.h>

#include "controller/request.h"

/* Results of a request, as they came from the engine: to its client, or kept.  The request may have
 * ended when it returns false. */
bool answer_results(struct request *request, const struct frame *frame);

/* The same for results that were made or changed here. */
bool answer_send_results(struct request *request, const Ipp__Results *results,
			 struct blob *payload);

/* A result that no engine will give any more. */
void answer_report_lost(struct request *request, uint64_t index, uint32_t rank, const char *why);

/* A task of a detached request failed: what was not handed out behind it never will be. */
void answer_stop_at(struct request *request, uint64_t index);

/* Everything of the request was answered, or its client wants no more of it: tell engines, and on
 * to the history with it. */
void answer_over(struct request *request, bool cancel);

/* It ends here, though its client wants more of it, who is told why. */
void answer_ended(struct request *request, enum request_state state, const char *why);

#endif
