#include "controller/line.h"

#include <errno.h>
#include <stdlib.h>

#include "controller/request.h"

#define ROOM_MIN 64

static bool is_before(const struct request *a, const struct request *b)
{
	return a->served_us < b->served_us || (a->served_us == b->served_us && a->place < b->place);
}

int line_expect(struct line *line)
{
	const size_t room = line->room ? 2 * line->room : ROOM_MIN;
	struct request **at;

	if (line->n_guests == line->room) {
		at = realloc(line->at, room * sizeof(struct request *));
		if (!at)
			return -ENOMEM;
		line->at = at;
		line->room = room;
	}
	line->n_guests++;
	return 0;
}

void line_expect_no_more(struct line *line)
{
	line->n_guests--;
}

static void put(struct line *line, size_t i, struct request *request)
{
	line->at[i] = request;
	request->in_line = i + 1;
}

/* Place `i` is free, and the request's if it is before none above and after none below. */
static void settle(struct line *line, size_t i, struct request *request)
{
	size_t next;

	for (; i > 0 && is_before(request, line->at[(i - 1) / 2]); i = (i - 1) / 2)
		put(line, i, line->at[(i - 1) / 2]);
	for (; (next = 2 * i + 1) < line->n; i = next) {
		if (next + 1 < line->n && is_before(line->at[next + 1], line->at[next]))
			next++;
		if (is_before(request, line->at[next]))
			break;
		put(line, i, line->at[next]);
	}
	put(line, i, request);
}

void line_join(struct line *line, struct request *request)
{
	line->n++;
	settle(line, line->n - 1, request);
}

void line_leave(struct line *line, struct request *request)
{
	struct request *last = line->at[--line->n];

	if (last != request)
		settle(line, request->in_line - 1, last);
	request->in_line = 0;
}

void line_move(struct line *line, struct request *request)
{
	settle(line, request->in_line - 1, request);
}

/* `best`, or a better one from place `i` on downwards, where all are after the one at `i`. */
static struct request *better(const struct line *line, size_t i, struct request *best,
			      line_test_fn *test, const void *arg)
{
	if (i >= line->n || (best && is_before(best, line->at[i])))
		return best;
	if (test(line->at[i], arg))
		return line->at[i];
	return better(line, 2 * i + 2, better(line, 2 * i + 1, best, test, arg), test, arg);
}

struct request *line_first(const struct line *line, line_test_fn *test, const void *arg)
{
	return better(line, 0, NULL, test, arg);
}
