/* engine/capture.h: what is written to a worker's stdout and stderr. */
#include <errno.h>
#include <event2/buffer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/capture.h"

static int fd;
static struct evbuffer *into;

static int setup(void **state)
{
	(void)state;
	fd = capture_open();
	into = evbuffer_new();
	return fd < 0 || !into;
}

static int teardown(void **state)
{
	(void)state;
	close(fd);
	evbuffer_free(into);
	return 0;
}

static void put(const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_taken(const char *text)
{
	assert_int_equal(evbuffer_get_length(into), strlen(text));
	assert_memory_equal(evbuffer_pullup(into, -1), text, strlen(text));
}

static void what_was_written_is_taken_once(void **state)
{
	(void)state;
	put("one");
	put("two");
	assert_int_equal(capture_take(fd, 100, into), 0);
	assert_int_equal(capture_take(fd, 100, into), 0);
	assert_taken("onetwo");
	put("3");
	assert_int_equal(capture_take(fd, 100, into), 0);
	assert_taken("onetwo3");
}

static void of_much_the_end_is_taken(void **state)
{
	(void)state;
	put("first and last");
	assert_int_equal(capture_take(fd, 4, into), 0);
	assert_taken("last");
	assert_int_equal(capture_take(fd, 4, into), 0);
	assert_taken("last");
}

static void a_glance_shows_whether_there_is_anything(void **state)
{
	volatile uint64_t *glance = capture_glance(fd);

	(void)state;
	assert_non_null(glance);
	assert_true(*glance == 0);
	put("x");
	assert_true(*glance != 0);
	capture_take(fd, 100, into);
	assert_true(*glance == 0);
}

static void there_is_an_end_to_its_room(void **state)
{
	const size_t bytes = CAPTURE_ROOM_BYTES + 1;
	char *much = calloc(1, bytes);

	(void)state;
	assert_int_equal(write(fd, much, bytes), CAPTURE_ROOM_BYTES);
	assert_int_equal(write(fd, much, 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(capture_take(fd, bytes, into), 0);
	assert_int_equal(evbuffer_get_length(into), CAPTURE_ROOM_BYTES);
	put("again");
	free(much);
}

static void its_room_is_less_where_files_are_limited(void **state)
{
	struct rlimit before, limit;
	int limited;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){10, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	limited = capture_open();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(limited >= 0);
	assert_int_equal(write(limited, "0123456789", 10), 10);
	assert_int_equal(write(limited, "a", 1), -1);
	assert_int_equal(capture_take(limited, 100, into), 0);
	assert_taken("0123456789");
	close(limited);
}

static void it_is_told_when_somebody_closed_it(void **state)
{
	(void)state;
	close(fd);
	assert_int_equal(capture_take(fd, 100, into), -EBADF);
	assert_int_equal(evbuffer_get_length(into), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_taken_once),
		TEST(of_much_the_end_is_taken),
		TEST(a_glance_shows_whether_there_is_anything),
		TEST(there_is_an_end_to_its_room),
		TEST(its_room_is_less_where_files_are_limited),
		TEST(it_is_told_when_somebody_closed_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
