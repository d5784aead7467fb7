/* client/libipp/engines.h - which engines there are, and where.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_ENGINES_H
#define IPP_CLIENT_LIBIPP_ENGINES_H

#include <stdbool.h>
#include <stdint.h>

struct frame;
struct ipp_client;

/* Ask the controller: results name engines by rank alone. */
void engines_ask(struct ipp_client *client);

/* The host of an engine (borrowed until the client's end); "" of one that has gone.  False: it was
 * not there when we last asked, and the answer is on its way. */
bool engines_host(struct ipp_client *client, uint32_t rank, const char **host);

/* A ROSTER frame came. */
void engines_take(struct ipp_client *client, const struct frame *frame);

void engines_fini(struct ipp_client *client);

#endif
