#include "controller/stranded.h"

#include <event2/event.h>

#include "controller/answer.h"
#include "controller/engine.h"
#include "controller/request.h"

#define PATIENCE_S 10 /* as for a cluster without engines; a guard starts its own within 3 s */

static bool is_stranded(const struct request *request)
{
	const struct cluster *cluster = request->cluster;

	if (request->kind != REQUEST_MAP || request->waits ||
	    (request->n_chosen == 0 && request->follow.n == 0))
		return false;
	for (size_t rank = 0; rank < cluster->n_ranks; rank++)
		if (engine_find(cluster, (uint32_t)rank) &&
		    request_may_use(request, (uint32_t)rank))
			return false;
	return true;
}

static struct request *find(const struct cluster *cluster)
{
	struct request *request = cluster->requests;

	while (request && !is_stranded(request))
		request = request->next;
	return request;
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct cluster *cluster = arg;
	struct request *request;

	(void)fd;
	(void)what;
	while ((request = find(cluster))) /* the end of one may end others */
		client_request_ended(request, REQUEST_FAILED,
				     "none of the engines that it may run on is left");
}

struct event *stranded_new(struct cluster *cluster)
{
	return evtimer_new(cluster->base, timer_cb, cluster);
}

static void watch(const struct cluster *cluster)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	evtimer_add(cluster->stranded, &patience);
}

void stranded_watch(const struct request *request)
{
	if (is_stranded(request))
		watch(request->cluster);
}

void stranded_watch_all(const struct cluster *cluster)
{
	if (find(cluster))
		watch(cluster);
}
