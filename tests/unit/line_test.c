/* controller/line.h: who is first, whoever comes, goes and was served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "controller/line.h"
#include "controller/request.h"

#define N_REQUESTS 300 /* more than there is room for at first */

static struct line line;
static struct request requests[N_REQUESTS];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_REQUESTS; i++) {
		requests[i] = (struct request){.place = i};
		if (line_expect(&line) < 0)
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(line.at);
	line = (struct line){0};
	return 0;
}

static bool any(struct request *request, const void *arg)
{
	(void)request;
	(void)arg;
	return true;
}

static bool is_of(struct request *request, const void *divisor)
{
	return request->place % *(const unsigned *)divisor == 0;
}

static void whoever_was_served_least_is_first_and_of_two_who_came_first(void **state)
{
	(void)state;
	requests[0].served_us = 5;
	for (size_t i = 0; i < 3; i++)
		line_join(&line, &requests[i]);
	assert_ptr_equal(line_first(&line, any, NULL), &requests[1]);
	requests[1].served_us = 9;
	line_move(&line, &requests[1]);
	assert_ptr_equal(line_first(&line, any, NULL), &requests[2]);
	line_leave(&line, &requests[2]);
	assert_ptr_equal(line_first(&line, any, NULL), &requests[0]);
	line_leave(&line, &requests[0]);
	line_leave(&line, &requests[1]);
	assert_null(line_first(&line, any, NULL));
}

/* By looking at all of them. */
static const struct request *first_of(unsigned divisor)
{
	const struct request *first = NULL;

	for (size_t i = 0; i < N_REQUESTS; i++)
		if (requests[i].in_line > 0 && requests[i].place % divisor == 0 &&
		    (!first || requests[i].served_us < first->served_us))
			first = &requests[i];
	return first;
}

static void the_first_that_will_do_is_found_whatever_happened_before(void **state)
{
	unsigned short seed[3] = {4, 7, 11};

	(void)state;
	for (int step = 0; step < 20000; step++) {
		const unsigned divisor = 1U << nrand48(seed) % 9;
		struct request *request = &requests[nrand48(seed) % N_REQUESTS];

		if (request->in_line == 0) {
			line_join(&line, request);
		} else if (nrand48(seed) % 3 == 0) {
			line_leave(&line, request);
		} else {
			request->served_us += (double)(nrand48(seed) % 21 - 10);
			line_move(&line, request);
		}
		assert_ptr_equal(line_first(&line, is_of, &divisor), first_of(divisor));
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whoever_was_served_least_is_first_and_of_two_who_came_first),
		TEST(the_first_that_will_do_is_found_whatever_happened_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
