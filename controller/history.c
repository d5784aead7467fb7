#include "controller/history.h"

#include <stdlib.h>

#include "controller/request.h"

struct old_state {
	uint64_t id;
	enum request_state state;
};

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

static void drop(struct history *history, struct history_queue *queue, struct request *request)
{
	request_index_remove(&history->index, request);
	queue_remove(queue, request);
}

/* Without memory for it, that is forgotten too. */
static void remember_state(struct history *history, const struct request *request)
{
	if (!history->states)
		history->states = calloc(HISTORY_STATES_MAX, sizeof(*history->states));
	if (history->states)
		history->states[history->n_states++ % HISTORY_STATES_MAX] = (struct old_state){
			request->id, request->state};
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
		drop(history, &history->plain, history->plain.oldest);
	while (history->keeping.oldest)
		drop(history, &history->keeping, history->keeping.oldest);
	free(history->states);
}

void history_add(struct history *history, struct request *request)
{
	struct history_queue *queue = queue_of(history, request);

	request->next = NULL;
	*queue->last = request;
	queue->last = &request->next;
	request_index_add(&history->index, request); /* out of memory: it is not found */
	if (++queue->n > HISTORY_MAX)
		history_forget(history, queue->oldest);
}

struct request *history_find(const struct history *history, uint64_t id)
{
	return request_find(&history->index, id);
}

bool history_recall(const struct history *history, uint64_t id, unsigned *state)
{
	const uint64_t n = history->n_states;

	for (uint64_t i = n; i > 0 && n - i < HISTORY_STATES_MAX; i--) {
		const struct old_state *at = &history->states[(i - 1) % HISTORY_STATES_MAX];

		if (at->id == id) {
			*state = at->state;
			return true;
		}
	}
	return false;
}

void history_forget(struct history *history, struct request *request)
{
	remember_state(history, request);
	drop(history, queue_of(history, request), request);
}
