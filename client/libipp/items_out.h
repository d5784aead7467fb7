/* client/libipp/items_out.h - items of a request on their way to the controller, as many as there
 * is room for.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_ITEMS_OUT_H
#define IPP_CLIENT_LIBIPP_ITEMS_OUT_H

#include <stdbool.h>
#include <stddef.h>

struct ipp_error;
struct ipp_request;

/* Ask for items and send them.  The request may be over then. */
void items_out_pump(struct ipp_request *request);

/* There is room for many, and more of them. */
bool items_out_wanted(const struct ipp_request *request);

/* Instead, of a direct view: all was sent, and a result comes from each of `n` targets.  0 or
 * -ENOMEM. */
int items_out_targets(struct ipp_request *request, size_t n, struct ipp_error *err);

#endif
