/* controller/client.h - a client's link and what arrives on it.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_CLIENT_H
#define IPP_CONTROLLER_CLIENT_H

#include "controller/cluster.h"
#include "controller/request.h"

/* Results that a client does not take wait here up to this, then it is handed no more work. */
#define CLIENT_BACKLOG_MAX (64u << 20)

struct ipp_error;

struct client {
	struct client *next;
	struct cluster *cluster;
	struct link *link;
	uint32_t number;
	uint64_t last_request; /* its id */
	unsigned n_rosters;    /* it is to be told once no engine is awaited, see returning.h */
};

/* A client said HELLO (takes `link`). */
void client_admit(struct cluster *cluster, struct link *link);
void client_free(struct client *client);

/* A new request must be the client's own, by its number, and later than its others.  0 or -EPROTO.
 */
int client_check_id(struct client *client, uint64_t id, struct ipp_error *err);

/* Results of a request, as they came from the engine: to its client, or kept.  The request may have
 * ended when it returns false. */
bool client_results(struct request *request, const struct frame *frame);

/* The same for results that were made or changed here. */
bool client_send_results(struct request *request, const Ipp__Results *results,
			 struct blob *payload);

/* A result that no engine will give any more. */
void client_report_lost(struct request *request, uint64_t index, uint32_t rank, const char *why);

/* A task of a detached request failed: what was not handed out behind it never will be. */
void client_stop_at(struct request *request, uint64_t index);

/* No engine is awaited any more: clients that waited are told which there are. */
void client_tell_rosters(struct cluster *cluster);

/* Nothing holds it back any more; it may end here, when it has nowhere to run. */
void client_request_ready(struct request *request);

/* Everything of the request was answered, or its client wants no more of it: tell engines, and on
 * to the history with it. */
void client_request_over(struct request *request, bool cancel);

/* It ends here, though its client wants more of it, who is told why. */
void client_request_ended(struct request *request, enum request_state state, const char *why);

#endif
