#include "client/libipp/items_out.h"

#include <errno.h>
#include <event2/event.h>
#include <time.h>

#include "client/libipp/outgoing.h"
#include "client/libipp/request.h"
#include "client/libipp/results_in.h"
#include "client/libipp/session.h"

/* Bytes of texts of items sent and without a result: bounds memory in the controller, as
 * REQUEST_WINDOW does. */
#define WINDOW_BYTES (64u << 20)
/* How far a result may be ahead of the slowest one where they are taken as they come. */
#define SPREAD_MAX (4u << 20)
#define BACKLOG_MAX (4u << 20)
/* Known ones between two looks at the link. */
#define KNOWN_MAX REQUEST_WINDOW

static int64_t realtime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static int add_slot(struct ipp_request *request, uint32_t item_bytes, int64_t now_us)
{
	int rc = 0;

	if (request->detached) {
		request->n_sent++;
		return 0;
	}
	rc = slots_grow(&request->slots, request->first, request->n_sent,
			request->n_sent + 1 - request->first, &request->why);
	if (rc < 0)
		return rc;
	*slots_of(&request->slots, request->n_sent++) = (struct slot){.submitted_us = now_us,
								      .item_bytes = item_bytes};
	request->item_bytes += item_bytes;
	return 0;
}

static uint64_t outstanding(const struct ipp_request *request)
{
	return request->n_sent - (request->window ? request->n_taken : request->n_ended);
}

static bool has_room(const struct ipp_request *request)
{
	const uint64_t window = request->window ? request->window : REQUEST_WINDOW;

	if (request->detached) /* whose results do not come here */
		return link_backlog(request->client->link) < BACKLOG_MAX;
	return outstanding(request) < window && request->item_bytes < WINDOW_BYTES &&
	       request->n_sent - request->n_ended < REQUEST_WINDOW &&
	       (request->window == 0 || request->n_sent - request->first < SPREAD_MAX) &&
	       link_backlog(request->client->link) < BACKLOG_MAX;
}

/* Refill in large steps, not item by item. */
bool items_out_wanted(const struct ipp_request *request)
{
	const uint64_t window = request->window ? request->window : REQUEST_WINDOW;

	return request->outgoing && !request->pumping && !request->over && request->client->link &&
	       (!request->client->draining || request->detached) &&
	       (request->detached ||
		(outstanding(request) <= window / 2 && request->item_bytes <= WINDOW_BYTES / 2));
}

/* Nothing is sent for the next index; its turn to be reported comes all the same. */
static int add_known(struct ipp_request *request)
{
	int rc;

	if (!request->done || request->detached)
		return ipp_fail(&request->why, EINVAL,
				"next() knows a result that nobody takes: give done(), and not "
				"`detached`");
	rc = outgoing_skip(request->outgoing, request->client->link, &request->why);
	if (rc == 0)
		rc = add_slot(request, 0, 0);
	if (rc < 0)
		return rc;
	slots_of(&request->slots, request->n_sent - 1)->which = SLOT_KNOWN;
	request->n_ended++;
	return request->unordered ? results_in_known(request, request->n_sent - 1) : 0;
}

/* Ask for an item and send it, or the end. 1: there may be more; 2: likewise, and nothing was sent;
 * 0 or a negative errno: not. */
static int send_item(struct ipp_request *request, int64_t now_us)
{
	struct ipp_value item = {.kind = IPP_NONE};
	struct link *link = request->client->link;
	int rc = request->next_item(request->owner, &item);

	if (rc < 0 || request->over)
		return rc < 0 ? rc : 0;
	if (rc == 2) {
		rc = add_known(request);
		return rc < 0 ? rc : 2;
	}
	if (rc == 0) {
		request->all_sent = true;
		return outgoing_end(request->outgoing, link, &request->why);
	}
	rc = outgoing_add(request->outgoing, link, &item, &request->why);
	if (rc == 0)
		rc = add_slot(request, item.kind == IPP_TEXT ? (uint32_t)item.bytes : 0, now_us);
	return rc < 0 ? rc : 1;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	results_in_report(arg);
	request_end_if_complete(arg);
	items_out_pump(arg);
}

/* Go on when there may be more items; or, `at_once`, after a look at the link. */
static int go_on_later(struct ipp_request *request, bool at_once)
{
	if (!request->readable)
		request->readable = event_new(request->client->base, request->items_fd, EV_READ,
					      readable_cb, request);
	if (request->readable && at_once) {
		event_active(request->readable, EV_READ, 1);
		return 0;
	}
	if (request->readable && event_add(request->readable, NULL) == 0)
		return 0;
	return ipp_fail(&request->why, EINVAL, "descriptor %d cannot be waited for",
			request->items_fd);
}

void items_out_pump(struct ipp_request *request)
{
	const int64_t now_us = items_out_wanted(request) ? realtime_us() : 0;
	uint64_t n_known = 0;
	int rc = 1;

	if (now_us == 0)
		return;
	request->why.code = 0;
	request->pumping = true;
	while (rc > 0 && n_known < KNOWN_MAX && has_room(request)) {
		rc = send_item(request, now_us);
		n_known += rc == 2;
	}
	request->pumping = false;
	if (rc > 0 || rc == -EAGAIN) {
		const bool wait = rc == -EAGAIN && n_known == 0;

		rc = outgoing_send(request->outgoing, request->client->link, &request->why);
		if (rc == 0 && wait)
			rc = go_on_later(request, false);
	}
	if (rc == 0 && n_known > 0 && !request->over)
		rc = go_on_later(request, true);
	if (rc < 0)
		request_fail(request, rc);
	else if (request->all_sent)
		request_end_if_complete(request);
	if (request->all_sent) {
		outgoing_free(request->outgoing);
		request->outgoing = NULL;
	}
}

int items_out_targets(struct ipp_request *request, size_t n, struct ipp_error *err)
{
	const int64_t now_us = realtime_us();
	int rc = slots_grow(&request->slots, 0, 0, n, err);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_slot(request, 0, now_us);
	request->all_sent = true;
	return rc;
}
