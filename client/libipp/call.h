/* client/libipp/call.h - what is to be run, as the CALL frame that says it.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_CALL_H
#define IPP_CLIENT_LIBIPP_CALL_H

#include <stdint.h>

struct ipp_client;
struct ipp_error;
struct ipp_run;

/* Send it, with its module and its arguments' arrays as payload (borrows all).  0, or -errno and
 * nothing was sent: the module is not there or no shared object, or an argument makes no sense. */
int call_send(struct ipp_client *client, uint64_t request, const struct ipp_run *run,
	      struct ipp_error *err);

#endif
