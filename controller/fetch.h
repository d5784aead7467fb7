/* controller/fetch.h - clients that want the results of a detached request, or only its end.
 *
 * Several may fetch one request, at their own pace, and again.  Thread: loop thread only. */
#ifndef IPP_CONTROLLER_FETCH_H
#define IPP_CONTROLLER_FETCH_H

#include "proto/ipp.pb-c.h"

struct client;
struct cluster;
struct ipp_error;
struct request;

/* Answered by RESULTS, then FINISHED; -ENOMEM. */
int fetch_start(struct client *client, const Ipp__Fetch *message, struct ipp_error *err);

/* This client cancelled it: FINISHED once engines run nothing of it any more; -ENOMEM. */
int fetch_cancelled(struct client *client, uint64_t id, struct ipp_error *err);

/* The request has more results, has ended, or was forgotten. */
void fetch_proceed(struct cluster *cluster, uint64_t request);

/* The client takes more again. */
void fetch_drained(struct client *client);

/* The client is gone. */
void fetch_drop(struct client *client);

/* The client wants no more of its fetch `number`. */
void fetch_stop(struct client *client, uint64_t number);

/* The request's end, or how far it is, for the client's fetch `number`, or its CANCEL: 0; `why` may
 * be NULL. */
void fetch_finished(struct client *client, uint64_t id, uint64_t number,
		    const struct request *request, const char *why);

#endif
