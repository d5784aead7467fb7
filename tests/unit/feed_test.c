/* client/feed.h: where a map's items come from. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/feed.h"
#include "client/ipp/client.h"
#include "client/pieces.h"
#include "proto/error.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

static struct ipp_error err;
static struct feed *feed;

static int setup(void **state)
{
	(void)state;
	feed = feed_new('\n', 1000);
	return !feed;
}

static int teardown(void **state)
{
	(void)state;
	feed_free(feed);
	return 0;
}

/* All items, each in <>, with | for the NULs within. */
static void assert_items(const char *expected)
{
	struct ipp_value item;
	char got[4096];
	size_t n = 0;
	int rc;

	while ((rc = feed_next(feed, true, &item, &err)) == 1) {
		n += (size_t)snprintf(got + n, sizeof(got) - n, "<");
		if (item.kind == IPP_INTEGER)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "#%" PRId64, item.integer);
		for (size_t i = 0; item.kind == IPP_TEXT && i < item.bytes; i++)
			got[n++] = item.text[i] ? item.text[i] : '|';
		n += (size_t)snprintf(got + n, sizeof(got) - n, ">");
	}
	got[n] = '\0';
	assert_int_equal(rc, 0);
	assert_string_equal(got, expected);
	assert_int_equal(feed_next(feed, true, &item, &err), 0);
}

#define WORDS(...)                                                                                 \
	do {                                                                                       \
		static char *words[] = {__VA_ARGS__};                                              \
                                                                                                   \
		assert_int_equal(feed_words(feed, words, sizeof(words) / sizeof(words[0]), &err),  \
				 0);                                                               \
	} while (0)
#define W (char *)

/* A file of these bytes, whose name is unlinked already (gives its /proc name). */
static const char *file(const char *bytes, size_t n)
{
	static char name[64];
	char path[] = "/tmp/feed_test.XXXXXX";
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return name;
}

static void words_come_as_they_stand(void **state)
{
	(void)state;
	WORDS(W "a b", W "", W "1:2", W "c\nd");
	assert_items("<a b><><1:2><c\nd>");
}

static void an_empty_list_has_no_items(void **state)
{
	(void)state;
	assert_int_equal(feed_words(feed, NULL, 0, &err), 0);
	assert_items("");
}

static void a_lone_range_is_integers(void **state)
{
	(void)state;
	WORDS(W "0:10:4");
	assert_items("<#0><#4><#8>");
}

static void a_range_may_go_down_be_empty_or_as_long_as_integers_go(void **state)
{
	struct ipp_value item;
	uint64_t n;

	(void)state;
	assert_int_equal(feed_range(feed, "3:0:-1", &err), 0);
	assert_items("<#3><#2><#1>");
	feed_free(feed);
	feed = feed_new('\n', 1000);
	assert_int_equal(feed_range(feed, "5:5", &err), 0);
	assert_items("");
	feed_free(feed);
	feed = feed_new('\n', 1000);
	assert_int_equal(feed_range(feed,
				    "-9223372036854775808:9223372036854775807:9223372036854775807",
				    &err),
			 0);
	assert_true(feed_count(feed, &n));
	assert_int_equal(n, 3);
	assert_int_equal(feed_next(feed, true, &item, &err), 1);
	assert_int_equal(feed_next(feed, true, &item, &err), 1);
	assert_int_equal(item.integer, -1);
	assert_int_equal(feed_next(feed, true, &item, &err), 1);
	assert_int_equal(feed_next(feed, true, &item, &err), 0);
}

static void what_is_no_range_is_refused_behind_a_function(void **state)
{
	static const char *const words[] = {
		"1", "1:", ":5", "1:2:3:4", "a:b", "1:2x", "1:99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(feed_range(feed, words[i], &err), -EINVAL);
	assert_string_equal(err.text, "ipp-run map: '1:99999999999999999999' behind the function "
				      "is no range START:STOP or START:STOP:STEP; items stand "
				      "behind :::");
	assert_int_equal(feed_range(feed, "1:2:0", &err), -ERANGE);
	assert_string_equal(
		err.text,
		"ipp-run map: the range 1:2:0 has a step of 0 and would never end: give another step");
}

static void several_lists_are_combined_the_last_changing_fastest(void **state)
{
	uint64_t n;

	(void)state;
	WORDS(W "a", W "b", W ":::", W "0:2", W ":::", W "x", W "y");
	assert_true(feed_count(feed, &n));
	assert_int_equal(n, 8);
	assert_items("<a|0|x><a|0|y><a|1|x><a|1|y><b|0|x><b|0|y><b|1|x><b|1|y>");
}

static void an_empty_list_among_several_leaves_nothing(void **state)
{
	(void)state;
	WORDS(W "a", W ":::", W ":::", W "b");
	assert_items("");
}

static void a_file_is_read_line_by_line_and_combined(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(feed_file(feed, file("one\n\nlast", 9), &err), 0);
	assert_false(feed_count(feed, &n));
	WORDS(W "1", W "2");
	assert_items("<one|1><one|2><|1><|2><last|1><last|2>");
}

static void a_file_may_be_read_again_and_again(void **state)
{
	(void)state;
	WORDS(W "1", W "2");
	assert_int_equal(feed_file(feed, file("a\nb\n", 4), &err), 0);
	assert_items("<1|a><1|b><2|a><2|b>");
}

static void a_pipe_that_is_not_the_first_list_is_refused_once_it_is_needed_again(void **state)
{
	struct ipp_value item;
	char name[64];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x\n", 2), 2);
	close(ends[1]);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	WORDS(W "1", W "2");
	assert_int_equal(feed_file(feed, name, &err), 0);
	close(ends[0]);
	assert_int_equal(feed_next(feed, true, &item, &err), 1);
	assert_int_equal(feed_next(feed, true, &item, &err), -ESPIPE);
	assert_non_null(strstr(err.text, "can be read but once"));
}

static void with_a_nul_as_separator_newlines_stay(void **state)
{
	(void)state;
	feed_free(feed);
	feed = feed_new('\0', 1000);
	assert_int_equal(feed_file(feed, file("a\nb\0c\0", 6), &err), 0);
	assert_items("<a\nb><c>");
}

static void an_item_longer_than_may_be_is_refused_and_not_kept(void **state)
{
	struct ipp_value item;
	char bytes[3000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[999] = '\n';
	assert_int_equal(feed_file(feed, file(bytes, sizeof(bytes)), &err), 0);
	assert_int_equal(feed_next(feed, true, &item, &err), 1);
	assert_int_equal(item.bytes, 999);
	assert_int_equal(feed_next(feed, true, &item, &err), -EMSGSIZE);
	assert_non_null(strstr(err.text, "has more than 1000 bytes"));
}

static void a_line_longer_than_a_buffer_is_whole(void **state)
{
	const size_t n = 300000;
	char *bytes = malloc(n + 3);
	struct ipp_value item;

	(void)state;
	memset(bytes, 'x', n);
	memcpy(bytes + n, "\ny", 3);
	feed_free(feed);
	feed = feed_new('\n', 1 << 20);
	assert_int_equal(feed_file(feed, file(bytes, n + 2), &err), 0);
	assert_int_equal(feed_next(feed, true, &item, &err), 1);
	assert_int_equal(item.bytes, n);
	assert_memory_equal(item.text, bytes, n);
	assert_items("<y>");
	free(bytes);
}

static void what_is_not_there_yet_is_not_waited_for(void **state)
{
	struct ipp_value item;
	char name[64];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(feed_file(feed, name, &err), 0);
	assert_int_equal(feed_next(feed, false, &item, &err), -EAGAIN);
	assert_true(feed_fd(feed) >= 0);
	assert_int_equal(write(ends[1], "x\ny", 3), 3);
	assert_int_equal(feed_next(feed, false, &item, &err), 1);
	assert_string_equal(item.text, "x");
	assert_int_equal(feed_next(feed, false, &item, &err), -EAGAIN);
	close(ends[1]);
	assert_items("<y>");
	close(ends[0]);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	(void)state;
	assert_int_equal(feed_file(feed, "/none", &err), -ENOENT);
	assert_string_equal(err.text, "ipp-run: /none cannot be read: No such file or directory");
	assert_int_equal(feed_file(feed, "/tmp", &err), -EISDIR);
}

static void ten_million_items_take_no_memory(void **state)
{
	struct ipp_value item;
	struct rusage usage;
	uint64_t n = 0;
	long before;

	(void)state;
	getrusage(RUSAGE_SELF, &usage);
	before = usage.ru_maxrss;
	WORDS(W "0:5000000", W ":::", W "a", W "b");
	while (feed_next(feed, true, &item, &err) == 1)
		n++;
	assert_int_equal(n, 10000000);
	getrusage(RUSAGE_SELF, &usage);
	assert_true(usage.ru_maxrss - before < 10000); /* kB */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_come_as_they_stand),
		TEST(an_empty_list_has_no_items),
		TEST(a_lone_range_is_integers),
		TEST(a_range_may_go_down_be_empty_or_as_long_as_integers_go),
		TEST(what_is_no_range_is_refused_behind_a_function),
		TEST(several_lists_are_combined_the_last_changing_fastest),
		TEST(an_empty_list_among_several_leaves_nothing),
		TEST(a_file_is_read_line_by_line_and_combined),
		TEST(a_file_may_be_read_again_and_again),
		TEST(a_pipe_that_is_not_the_first_list_is_refused_once_it_is_needed_again),
		TEST(with_a_nul_as_separator_newlines_stay),
		TEST(an_item_longer_than_may_be_is_refused_and_not_kept),
		TEST(a_line_longer_than_a_buffer_is_whole),
		TEST(what_is_not_there_yet_is_not_waited_for),
		TEST(a_file_that_cannot_be_read_is_named),
		TEST(ten_million_items_take_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
