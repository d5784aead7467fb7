/* client/libipp/arrival.h - a frame of results, kept as long as somebody wants one of them.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_ARRIVAL_H
#define IPP_CLIENT_LIBIPP_ARRIVAL_H

#include "client/ipp/client.h"
#include "proto/extent.h"
#include "proto/link.h"

/* What the frame does not say of a result itself. */
struct place {
	struct extent extent; /* of the payload */
	size_t variable;      /* where in the arrival's variables */
	int64_t submitted_us;
	uint32_t item_bytes;
};

/* Payloads of arrivals that wait for their turn: in memory as far as there is room for them, then
 * in a file. */
struct waiting_room {
	size_t memory_bytes;
	int fd; /* -1: nothing was ever put there */
	off_t file_bytes;
	size_t n_in_file;
};

struct arrival {
	Ipp__Results *results;
	struct blob *payload;	   /* NULL: there is none, or it is in the file */
	struct waiting_room *room; /* where it waits; NULL: it does not */
	size_t in_memory, in_file; /* bytes; at most one is not 0 */
	off_t file_at;
	struct ipp_variable *variables; /* of all results, each's behind those before it */
	struct arrival *next;		/* in a queue of its owner's */
	struct arrival *next_fresh;
	size_t users;
	struct place places[]; /* of each result */
};

/* Take a RESULTS frame apart (gives, with one user).  -EPROTO when head and payload disagree,
 * -ENOMEM.  Where it is heads alone, arrays have no data, and there is no output. */
int arrival_new(struct arrival **out, const struct frame *frame, struct ipp_error *err);
void arrival_unref(struct arrival *arrival); /* NULL is fine */

/* Some of it has to wait.  Where the file cannot be written, it waits in memory. */
void arrival_wait(struct arrival *arrival, struct waiting_room *room);

/* It is in memory again.  -EIO, -ENOMEM. */
int arrival_recall(struct arrival *arrival, struct ipp_error *err);

/* The i-th of them (borrows from the arrival, which is in memory); all but its
 * host. */
void arrival_read(const struct arrival *arrival, size_t i, struct ipp_result *out);

#endif
