/* controller/history.h: what is remembered of requests, and for how long. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "controller/history.h"
#include "controller/request.h"

static enum request_state state_of(uint64_t id)
{
	return id % 3 ? REQUEST_DONE : REQUEST_FAILED;
}

static void add(struct history *history, uint64_t id)
{
	struct request *request = calloc(1, sizeof(*request));

	request->id = id;
	request->state = state_of(id);
	request->label = strdup("a label");
	history_add(history, request);
}

static void what_is_remembered_is_bounded(void **state)
{
	const uint64_t n = HISTORY_STATES_MAX + 3 * HISTORY_MAX;
	const uint64_t first_known = n - HISTORY_MAX - HISTORY_STATES_MAX + 1;
	struct history history = {0};
	size_t filled = 0;
	unsigned how;

	(void)state;
	history_init(&history);
	for (uint64_t id = 1; id <= n; id++) {
		add(&history, id);
		if (id == 2 * HISTORY_MAX)
			filled = mallinfo2().uordblks;
	}
	assert_int_equal(mallinfo2().uordblks, filled);
	assert_int_equal(history.plain.n, HISTORY_MAX);
	assert_non_null(history_find(&history, n - HISTORY_MAX + 1));
	assert_null(history_find(&history, n - HISTORY_MAX));
	assert_true(history_recall(&history, n - HISTORY_MAX, &how));
	assert_int_equal(how, state_of(n - HISTORY_MAX));
	assert_true(history_recall(&history, first_known, &how));
	assert_int_equal(how, state_of(first_known));
	assert_false(history_recall(&history, first_known - 1, &how));
	history_fini(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_remembered_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
