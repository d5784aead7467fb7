#include "client/journal/journalled.h"

#include <errno.h>

#include "client/journal/journal.h"
#include "proto/error.h"

static int stop(struct journalled *journalled)
{
	journalled->stopped = true;
	return -1;
}

static int next(void *owner, struct ipp_value *item)
{
	struct journalled *journalled = owner;
	const uint64_t index = journalled->n_asked;
	int rc = journalled->map.next(journalled->map.owner, item);

	if (rc != 1)
		return rc;
	rc = journal_has(journalled->journal, journalled->first + index, item, &journalled->why);
	if (rc >= 0 && kept_items_add(&journalled->items, item) < 0)
		rc = ipp_fail(&journalled->why, ENOMEM, "out of memory for items");
	if (rc < 0) {
		stop(journalled);
		return rc;
	}
	if (rc == 1)
		kept_items_drop(&journalled->items, index);
	journalled->n_asked++;
	return rc == 1 ? 2 : 1;
}

static int known(void *owner, uint64_t index)
{
	struct journalled *journalled = owner;
	struct ipp_result result;
	int rc;

	if (journal_read(journalled->journal, journalled->first + index, &result,
			 &journalled->why) < 0)
		return stop(journalled);
	result.index = index;
	journalled->recalling = true;
	rc = journalled->map.done(journalled->map.owner, &result);
	journalled->recalling = false;
	return rc;
}

/* What did not end well is for another run. */
static int arrived(void *owner, const struct ipp_result *result)
{
	struct journalled *journalled = owner;
	const struct ipp_value item = kept_items_get(&journalled->items, result->index);
	struct ipp_result added = *result;
	int rc = 0;

	added.index += journalled->first;
	if (result->outcome == IPP_OK)
		rc = journal_add(journalled->journal, &added, &item, &journalled->why);
	kept_items_drop(&journalled->items, result->index);
	return rc < 0 ? stop(journalled) : 0;
}

static int done(void *owner, const struct ipp_result *result)
{
	const struct journalled *journalled = owner;

	return journalled->map.done(journalled->map.owner, result);
}

static int pause_all(void *owner)
{
	struct journalled *journalled = owner;

	if (!journalled->stopped && journal_flush(journalled->journal, &journalled->why) < 0)
		return stop(journalled);
	return journalled->map.pause ? journalled->map.pause(journalled->map.owner) : 0;
}

void journalled_init(struct journalled *out, const struct ipp_run *map, struct journal *journal,
		     uint64_t first)
{
	*out = (struct journalled){.run = *map, .map = *map, .journal = journal, .first = first};
	if (!journal)
		return;
	out->run.next = next;
	out->run.known = known;
	out->run.arrived = arrived;
	out->run.done = done;
	out->run.pause = pause_all;
	out->run.owner = out;
}

void journalled_fini(struct journalled *journalled)
{
	kept_items_fini(&journalled->items);
}

int journalled_wait(struct journalled *journalled, struct ipp_request *request, int timeout_ms,
		    struct ipp_error *err)
{
	const int rc = ipp_wait(request, timeout_ms, err);

	if (rc != -ETIMEDOUT || !journalled->journal ||
	    journal_flush(journalled->journal, &journalled->why) == 0)
		return rc;
	stop(journalled);
	return -ECANCELED;
}

int journalled_verdict(const struct journalled *journalled, int rc, struct ipp_error *err)
{
	if (!journalled->stopped)
		return rc;
	*err = journalled->why;
	return -err->code;
}

static void take_late(void *owner, const struct ipp_result *result)
{
	const struct journalled *journalled = owner;

	journalled->take_late(journalled->map.owner, result);
}

int journalled_take_rest(struct journalled *journalled, struct ipp_request *request,
			 void (*take)(void *owner, const struct ipp_result *result),
			 struct ipp_error *err)
{
	journalled->take_late = take;
	return ipp_take_rest(request, journalled->journal ? take_late : take, err);
}
