/* controller/request.h - what a client asked for and is not finished with: a map, an apply, a push.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_REQUEST_H
#define IPP_CONTROLLER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/ipp.pb-c.h"
#include "proto/items.h"
#include "proto/link.h"

struct client;

enum request_kind {
	REQUEST_MAP,   /* tasks for whichever engine is free */
	REQUEST_APPLY, /* a task for each target */
	REQUEST_PUSH,  /* a value for each target; answered by one DONE */
};

struct request {
	struct request *next;
	uint64_t id; /* client number << 32 | its own number */
	enum request_kind kind;
	struct client *client; /* borrowed: a client takes its requests with it */
	uint32_t *targets;     /* ranks; apply and push */
	uint32_t n_targets;
	uint8_t *call; /* packed Call, as the client sent it */
	size_t call_bytes;
	struct blob *arguments;	 /* its payload, or NULL */
	struct slices pending;	 /* maps: not handed out, in order */
	uint64_t n_received;	 /* items the client has sent */
	uint64_t total;		 /* how many it will send; UINT64_MAX until it says */
	uint64_t n_done;	 /* results given to the client, or targets that answered a push */
	double task_us;		 /* how long its tasks have been taking; 0: not known yet */
	Ipp__Failure **failures; /* push: targets that could not */
	size_t n_failures;
};

/* In *list (takes the new one); NULL when out of memory. */
struct request *request_new(struct request **list, struct client *client, uint64_t id,
			    enum request_kind kind, const Ipp__Targets *targets);

/* Keep the packed call to open it on engines. 0 or -ENOMEM. */
int request_keep_call(struct request *request, const struct frame *frame);

struct request *request_find(struct request *list, uint64_t id);   /* NULL: not there */
void request_free(struct request **list, struct request *request); /* unlinks */

/* `text` is why target `rank` could not.  Out of memory drops the text, not the count. */
void request_fail_target(struct request *request, uint32_t rank, const char *text);

/* All results were given to the client, or all targets answered. */
bool request_finished(const struct request *request);

/* Learn from a task that took `elapsed_us`. */
void request_learn(struct request *request, uint64_t elapsed_us);

#endif
