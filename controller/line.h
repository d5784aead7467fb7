/* controller/line.h - requests that have tasks to hand out, in the order in which they are served:
 * whoever had least engine time is first; of two, who came first.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_LINE_H
#define IPP_CONTROLLER_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct request;

/* A binary heap.  All zero is the empty one. */
struct line {
	struct request **at; /* `n` of them */
	size_t n;
	size_t n_guests, room; /* who may come to stand in it, and for whom there is room */
};

/* There is one more request that may come to stand in it: 0 or -ENOMEM.  Or one less. */
int line_expect(struct line *line);
void line_expect_no_more(struct line *line);

void line_join(struct line *line, struct request *request); /* expected, and not in it */
void line_leave(struct line *line, struct request *request);

/* What it stands by was changed. */
void line_move(struct line *line, struct request *request);

/* The first of which `test` is true; NULL: there is none. */
typedef bool line_test_fn(struct request *request, const void *arg);
struct request *line_first(const struct line *line, line_test_fn *test, const void *arg);

#endif
