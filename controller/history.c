#include "controller/history.h"

#include "controller/request.h"

static void queue_init(struct history_queue *queue)
{
	*queue = (struct history_queue){.last = &queue->oldest};
}

static void queue_remove(struct history_queue *queue, struct request *request)
{
	struct request **at = &queue->oldest;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (!*at)
		queue->last = at;
	queue->n--;
	request_free(request);
}

static struct history_queue *queue_of(struct history *history, const struct request *request)
{
	return request->kept ? &history->keeping : &history->plain;
}

void history_init(struct history *history)
{
	queue_init(&history->plain);
	queue_init(&history->keeping);
}

void history_fini(struct history *history)
{
	while (history->plain.oldest)
		queue_remove(&history->plain, history->plain.oldest);
	while (history->keeping.oldest)
		queue_remove(&history->keeping, history->keeping.oldest);
}

void history_add(struct history *history, struct request *request)
{
	struct history_queue *queue = queue_of(history, request);

	request->next = NULL;
	*queue->last = request;
	queue->last = &request->next;
	if (++queue->n > HISTORY_MAX)
		queue_remove(queue, queue->oldest);
}

struct request *history_find(const struct history *history, uint64_t id)
{
	struct request *found = request_find(history->keeping.oldest, id);

	return found ? found : request_find(history->plain.oldest, id);
}

void history_forget(struct history *history, struct request *request)
{
	queue_remove(queue_of(history, request), request);
}
