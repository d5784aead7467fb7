/* client/journal/journalled.h - a map whose results go into a journal, and come from there where an
 * earlier run had them.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_JOURNAL_JOURNALLED_H
#define IPP_CLIENT_JOURNAL_JOURNALLED_H

#include "client/ipp/client.h"
#include "client/kept_items.h"
#include "proto/error.h"

struct journal;

struct journalled {
	struct ipp_run run; /* to be submitted */
	struct ipp_run map; /* what it is made of */
	struct journal *journal;
	uint64_t first; /* the map's first item is this one of the journal */
	uint64_t n_asked;
	struct kept_items items; /* that were sent and whose results have not come */
	bool recalling;		 /* the map is told a result of an earlier run */
	bool stopped;
	struct ipp_error why;
	void (*take_late)(void *owner, const struct ipp_result *result);
};

/* Make out->run of *map, whose owner is called as it would be without a journal (borrows journal
 * and what *map borrows).  Without a journal, NULL, the two are the same. */
void journalled_init(struct journalled *out, const struct ipp_run *map, struct journal *journal,
		     uint64_t first);
void journalled_fini(struct journalled *journalled);

/* ipp_wait() for `timeout_ms`, and what waits to be put on disk is, however long nothing comes. */
int journalled_wait(struct journalled *journalled, struct ipp_request *request, int timeout_ms,
		    struct ipp_error *err);

/* rc is what journalled_wait() or ipp_run() returned; where the journal ended the map, its reason
 * takes the place of *err. */
int journalled_verdict(const struct journalled *journalled, int rc, struct ipp_error *err);

/* ipp_take_rest() of such a request: take() is called with the map's owner. */
int journalled_take_rest(struct journalled *journalled, struct ipp_request *request,
			 void (*take)(void *owner, const struct ipp_result *result),
			 struct ipp_error *err);

#endif
