/* client/lines.h - engines and requests as lines of a table, for the verbs that show them.
 *
 * Texts that other clients chose are cleaned of what is not printable.  Thread: any. */
#ifndef IPP_CLIENT_LINES_H
#define IPP_CLIENT_LINES_H

#include <stddef.h>

#include "client/ipp/client.h"

#define LINE_BYTES 256
#define LINE_HOST_MAX 32 /* columns that a host's name gets at most */

/* How many columns the hosts take. */
int line_host_width(const struct ipp_status *status);

void line_of_engines(char line[LINE_BYTES], int host_width); /* the header */
/*   busy  share of the time that it was in tasks, or below 0: not known */
void line_of_engine(char line[LINE_BYTES], int host_width, const struct ipp_engine_status *engine,
		    double busy);

/* The share since it registered. */
double line_busy(const struct ipp_engine_status *engine);

/* Requests that wait or run, and those that have ended.
 *   now_us  CLOCK_REALTIME */
void line_of_queue(char line[LINE_BYTES]);
void line_of_queued(char line[LINE_BYTES], const struct ipp_request_info *request, int64_t now_us);
void line_of_history(char line[LINE_BYTES]);
void line_of_ended(char line[LINE_BYTES], const struct ipp_request_info *request);

#endif
