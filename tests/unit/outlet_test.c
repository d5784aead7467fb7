/* engine/outlet.h: what is left of a command's words when its worker is dead. */
#include <event2/buffer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/outlet.h"

static struct outlet_tail *tail;
static struct outlet outlet;
static struct evbuffer *into;

static int setup(void **state)
{
	(void)state;
	tail = calloc(1, sizeof(*tail));
	outlet = (struct outlet){.ends = {-1, -1}, .tail = tail};
	into = evbuffer_new();
	return !tail || !into || outlet_open(&outlet) != 0;
}

static int teardown(void **state)
{
	(void)state;
	outlet_close(&outlet);
	evbuffer_free(into);
	free(tail);
	return 0;
}

static void put(const char *text)
{
	assert_int_equal(write(outlet.ends[1], text, strlen(text)), strlen(text));
}

/* As the worker does, which keeps it for itself. */
static void read_all(void)
{
	outlet_read(&outlet, into);
	evbuffer_drain(into, evbuffer_get_length(into));
}

static void assert_taken(const char *text)
{
	outlet_take_last(&outlet, into);
	assert_int_equal(evbuffer_get_length(into), strlen(text));
	assert_memory_equal(evbuffer_pullup(into, -1), text, strlen(text));
	evbuffer_drain(into, strlen(text));
}

static void what_was_read_and_what_was_not_is_taken_once(void **state)
{
	(void)state;
	outlet_begin(&outlet);
	put("one ");
	read_all();
	put("two ");
	read_all();
	put("three");
	assert_taken("one two three");
	assert_taken("");
}

static void what_a_task_wrote_that_has_ended_is_not_taken(void **state)
{
	(void)state;
	outlet_begin(&outlet);
	put("before");
	read_all();
	outlet_end(&outlet);
	assert_taken("");
	outlet_begin(&outlet);
	put("now");
	read_all();
	assert_taken("now");
}

static void of_much_the_end_is_taken(void **state)
{
	static char line[1001], end[OUTLET_TAIL_BYTES + 1];
	const size_t n = 200;

	(void)state;
	outlet_begin(&outlet);
	for (size_t i = 0; i < n; i++) {
		memset(line, 'a' + (int)(i % 26), 1000);
		put(line);
		read_all();
	}
	for (size_t i = 0; i < OUTLET_TAIL_BYTES; i++)
		end[i] = (char)('a' + (n * 1000 - OUTLET_TAIL_BYTES + i) / 1000 % 26);
	assert_taken(end);
}

static void what_was_being_read_comes_once(void **state)
{
	(void)state;
	outlet_begin(&outlet);
	put("one ");
	read_all();
	memcpy(tail->last + 4, "two", 3); /* it is no longer in the pipe */
	tail->coming = 7;
	assert_taken("one two");
	outlet_begin(&outlet);
	put("one ");
	read_all();
	put("two"); /* it is still there, and the mark is, too */
	memcpy(tail->last + 4, "\xff\x00\xf1", 3);
	tail->coming = 7;
	assert_taken("one two");
}

/* A process that became another user's lives on. */
static void what_somebody_writes_to_a_pipe_that_was_left_is_no_tasks(void **state)
{
	struct outlet engines = {.ends = {dup(outlet.ends[0]), -1}, .tail = tail};
	const int somebodys = dup(outlet.ends[1]);

	(void)state;
	outlet_leave(&outlet);
	assert_int_equal(outlet_open(&outlet), 0);
	outlet_begin(&outlet);
	put("ours");
	read_all();
	assert_int_equal(write(somebodys, "theirs", 6), 6);
	outlet_take_last(&engines, into);
	assert_int_equal(evbuffer_get_length(into), 4);
	assert_memory_equal(evbuffer_pullup(into, 4), "ours", 4);
	outlet_close(&engines);
	close(somebodys);
}

static void a_worker_that_scribbled_there_does_no_harm(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		tail->in_use = UINT64_MAX;
		tail->bytes = UINT64_MAX >> bit;
		tail->coming = UINT64_MAX >> (63 - bit);
		outlet_take_last(&outlet, into);
		assert_true(evbuffer_get_length(into) <= OUTLET_TAIL_BYTES);
		evbuffer_drain(into, OUTLET_TAIL_BYTES);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_read_and_what_was_not_is_taken_once),
		TEST(what_a_task_wrote_that_has_ended_is_not_taken),
		TEST(of_much_the_end_is_taken),
		TEST(what_was_being_read_comes_once),
		TEST(what_somebody_writes_to_a_pipe_that_was_left_is_no_tasks),
		TEST(a_worker_that_scribbled_there_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
