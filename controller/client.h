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
	bool behind;	       /* see client_is_behind() */
};

/* A client said HELLO (takes `link`). */
void client_admit(struct cluster *cluster, struct link *link);
void client_free(struct client *client);

/* A new request must be the client's own, by its number, and later than its others.  0 or -EPROTO.
 */
int client_check_id(struct client *client, uint64_t id, struct ipp_error *err);

/* It does not take its results, from CLIENT_BACKLOG_MAX of them on until all were: meanwhile no
 * task of its direct views is handed out, nor goes past those that wait.  NULL is not behind. */
bool client_is_behind(struct client *client);

/* No engine is awaited any more: clients that waited are told which there are. */
void client_tell_rosters(struct cluster *cluster);

/* Nothing holds it back any more; it may end here, when it has nowhere to run. */
void client_request_ready(struct request *request);

#endif
