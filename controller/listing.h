/* controller/listing.h - all requests the controller knows: queued, running and ended.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_LISTING_H
#define IPP_CONTROLLER_LISTING_H

struct client;
struct ipp_error;

/* Answer the client's REQUESTS.  0 or -ENOMEM. */
int listing_send(struct client *client, struct ipp_error *err);

#endif
