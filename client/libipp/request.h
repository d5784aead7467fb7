/* client/libipp/request.h - what session.c tells the requests of a client.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_REQUEST_H
#define IPP_CLIENT_LIBIPP_REQUEST_H

#include <stdbool.h>

struct frame;
struct ipp_client;

/* Whether the frame was about one of them: RESULTS or ENDED. */
bool requests_take(struct ipp_client *client, const struct frame *frame);

/* There is room for more items on the link. */
void requests_pump(struct ipp_client *client);

/* Hosts of engines that results wait for may be known by now. */
void requests_report(struct ipp_client *client);

/* The link is lost (client->lost says why), or the client is about to be freed. */
void requests_lose(struct ipp_client *client);

#endif
