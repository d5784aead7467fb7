/* controller/client.h - a client's link and what arrives on it.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_CLIENT_H
#define IPP_CONTROLLER_CLIENT_H

#include "controller/cluster.h"

struct request;

/* Results that a client does not take wait here up to this, then it is handed no more work. */
#define CLIENT_BACKLOG_MAX (64u << 20)

struct client {
	struct client *next;
	struct cluster *cluster;
	struct link *link;
	uint32_t number;
};

/* A client said HELLO (takes `link`). */
void client_admit(struct cluster *cluster, struct link *link);
void client_free(struct client *client);

/* Results of its request: n of them, as they came from the engine. */
void client_results(struct client *client, const struct frame *frame);

/* A result that no engine will give any more. */
void client_report_lost(struct request *request, uint64_t index, uint32_t rank, const char *why);

/* Everything of the request was answered: tell engines and forget it. */
void client_request_over(struct request *request, bool cancel);

#endif
