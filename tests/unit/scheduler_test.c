/* controller/scheduler.h: how many tasks an engine is given, and what that does to a whole map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "controller/scheduler.h"

static void tasks_of_unknown_length_are_handed_out_singly(void **state)
{
	(void)state;
	assert_int_equal(scheduler_quota(0, 0, 0, 1000, 4), 1);
	assert_int_equal(scheduler_quota(0, 1, 0, 1000, 4), 0);
}

static void long_tasks_are_handed_out_singly(void **state)
{
	(void)state;
	assert_int_equal(scheduler_quota(1e6, 0, 0, 1000, 4), 1);
	assert_int_equal(scheduler_quota(1e6, 1, 1e6, 1000, 4), 0);
	assert_int_equal(scheduler_quota(1e6, 1, -5, 1000, 4), 0);
}

static void short_tasks_share_a_frame(void **state)
{
	const uint64_t n = scheduler_quota(1, 0, 0, 1000000, 4);

	(void)state;
	assert_in_range(n, 1000, 8192);
	assert_in_range(scheduler_quota(100, 0, 0, 1000000, 4), 100, 1000);
}

static void an_engine_with_enough_before_it_gets_no_more(void **state)
{
	(void)state;
	assert_int_equal(scheduler_quota(100, 150, 15000, 1000000, 4), 0);
	assert_true(scheduler_quota(100, 50, 5000, 1000000, 4) > 0);
}

static void towards_the_end_of_a_map_nothing_is_queued_behind_a_busy_engine(void **state)
{
	(void)state;
	for (uint64_t pending = 1; pending < 8; pending++) {
		assert_int_equal(scheduler_quota(10, 0, 0, pending, 4), 1);
		assert_int_equal(scheduler_quota(10, 1, 10, pending, 4), 0);
	}
}

static void a_chunk_says_how_many_and_time_says_when(void **state)
{
	(void)state;
	assert_int_equal(scheduler_bounded(1, 0, 1000, 50, 0), 50);
	assert_int_equal(scheduler_bounded(200, 0, 1000, 50, 0), 50);
	assert_int_equal(scheduler_bounded(0, 50, 1000, 50, 0), 0);
}

static void a_high_water_mark_is_filled_up_and_not_passed(void **state)
{
	(void)state;
	assert_int_equal(scheduler_bounded(0, 1, 1000, 0, 3), 2);
	assert_int_equal(scheduler_bounded(0, 3, 1000, 0, 3), 0);
	assert_int_equal(scheduler_bounded(5000, 4, 1000, 0, 3), 0);
	assert_int_equal(scheduler_bounded(5000, 0, 1000, 0, 3), 3);
	assert_int_equal(scheduler_bounded(0, 0, 1000, 10, 25), 10);
	assert_int_equal(scheduler_bounded(0, 20, 1000, 10, 25), 5);
	assert_int_equal(scheduler_bounded(5000, 0, 2, 0, 3), 2);
	assert_int_equal(scheduler_bounded(5000, 1, 0, 0, 3), 0);
}

static void no_engine_gets_more_than_its_share_or_what_is_worth_a_frame(void **state)
{
	static const double lengths[] = {0, 0.5, 1, 17, 999, 9999, 10000, 1e7};

	(void)state;
	for (size_t i = 0; i < 8; i++)
		for (uint64_t in_flight = 0; in_flight < 3000; in_flight += 333)
			for (uint64_t pending = 0; pending < 100000; pending = pending * 3 + 1)
				for (uint64_t engines = 1; engines < 300; engines *= 3) {
					const uint64_t n = scheduler_quota(
						lengths[i], in_flight,
						(double)in_flight * lengths[i], pending, engines);
					const uint64_t share = pending / (2 * engines);

					assert_true(
						n <= (share > 1 ? share : 1) ||
						((double)n * lengths[i] <= 50 && n <= pending / 8));
					assert_true(n <= pending);
					/* An idle engine is never left idle. */
					assert_true(in_flight > 0 || pending == 0 || n > 0);
				}
}

/* ---- a map, simulated ---- */

#define ENGINES_MAX 64

struct simulation {
	unsigned n_engines;
	uint64_t pending, frames;
	double mean_us;
	struct {
		uint64_t n;	/* tasks it has */
		double next_us; /* when its running one ends */
	} engines[ENGINES_MAX];
};

typedef double length_fn(uint64_t task);

static double even_ms(uint64_t task)
{
	(void)task;
	return 1000;
}

/* The last of them is fifty times the others. */
static double long_tail(uint64_t task)
{
	return task == 1999 ? 50000 : 1000;
}

static double mixed(uint64_t task)
{
	return (double)(task * 7919 % 97) * 30 + 1;
}

static void give(struct simulation *s, double now_us, length_fn *length, uint64_t *started)
{
	for (unsigned e = 0; e < s->n_engines; e++) {
		const uint64_t n = scheduler_quota(s->mean_us, s->engines[e].n,
						   (double)s->engines[e].n * s->mean_us, s->pending,
						   s->n_engines);

		if (n == 0)
			continue;
		if (s->engines[e].n == 0)
			s->engines[e].next_us = now_us + length((*started)++);
		s->engines[e].n += n;
		s->pending -= n;
		s->frames++;
	}
}

/* How long `tasks` tasks take, over the shortest that is possible. */
static double makespan(struct simulation *s, unsigned n_engines, uint64_t tasks, length_fn *length)
{
	uint64_t started = 0;
	double now_us = 0, total_us = 0, longest_us = 0;

	*s = (struct simulation){.n_engines = n_engines, .pending = tasks};
	for (uint64_t i = 0; i < tasks; i++) {
		total_us += length(i);
		longest_us = length(i) > longest_us ? length(i) : longest_us;
	}
	for (uint64_t left = tasks; left > 0; left--) {
		unsigned first = ENGINES_MAX;

		give(s, now_us, length, &started);
		for (unsigned e = 0; e < n_engines; e++)
			if (s->engines[e].n > 0 &&
			    (first == ENGINES_MAX ||
			     s->engines[e].next_us < s->engines[first].next_us))
				first = e;
		assert_true(first < ENGINES_MAX);
		now_us = s->engines[first].next_us;
		s->mean_us = s->mean_us > 0 ? 0.9 * s->mean_us + 0.1 * length(tasks - left)
					    : length(0);
		if (--s->engines[first].n > 0)
			s->engines[first].next_us = now_us + length(started++);
	}
	assert_int_equal(started, tasks);
	total_us /= n_engines;
	return now_us / (total_us > longest_us ? total_us : longest_us);
}

static void engines_finish_together(void **state)
{
	struct simulation s;

	(void)state;
	assert_true(makespan(&s, 4, 2000, even_ms) < 1.02);
	assert_true(makespan(&s, 4, 2000, mixed) < 1.05);
	assert_true(makespan(&s, 64, 20000, mixed) < 1.1);
	/* A long one at the very end costs its own length, not that of a queue behind it. */
	assert_true(makespan(&s, 4, 2000, long_tail) < 1.15);
}

static void short_tasks_cost_few_frames(void **state)
{
	struct simulation s;

	(void)state;
	makespan(&s, 4, 20000, even_ms);
	assert_true(s.frames < 20000 / 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_of_unknown_length_are_handed_out_singly),
		cmocka_unit_test(long_tasks_are_handed_out_singly),
		cmocka_unit_test(short_tasks_share_a_frame),
		cmocka_unit_test(an_engine_with_enough_before_it_gets_no_more),
		cmocka_unit_test(towards_the_end_of_a_map_nothing_is_queued_behind_a_busy_engine),
		cmocka_unit_test(a_chunk_says_how_many_and_time_says_when),
		cmocka_unit_test(a_high_water_mark_is_filled_up_and_not_passed),
		cmocka_unit_test(no_engine_gets_more_than_its_share_or_what_is_worth_a_frame),
		cmocka_unit_test(engines_finish_together),
		cmocka_unit_test(short_tasks_cost_few_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
