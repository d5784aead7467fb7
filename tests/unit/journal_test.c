/* The file of --journal: cut off and damaged at every byte, on a disk that is full at every byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/journal/head.h"
#include "client/journal/journal.h"
#include "proto/error.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

#define N_RESULTS 6
#define LARGE ((size_t)300 << 10)

/* In memory: what is written is synced at each end. */
static char path[] = "/dev/shm/ipp-journal-XXXXXX";
static struct ipp_error err;
static const char *const words[] = {"echo", "{}", NULL};
static const struct ipp_run command = {.argv = words, .label = "echo {}"};

static int setup(void **state)
{
	const int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0 || truncate(path, 0) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static int empty(void **state)
{
	(void)state;
	return truncate(path, 0);
}

/* ---- what is in it ---- */

static const uint64_t shape[] = {2, 3};
static const double numbers[6] = {1, 2, 3, 4, 5, 1e300};

static struct ipp_value item(uint64_t index)
{
	static char text[32];

	if (index % 2 == 0)
		return (struct ipp_value){.kind = IPP_INTEGER, .integer = (int64_t)index * 7};
	snprintf(text, sizeof(text), "item %llu", (unsigned long long)index);
	return (struct ipp_value){.kind = IPP_TEXT, .text = text, .bytes = strlen(text)};
}

static struct ipp_result result(uint64_t index)
{
	struct ipp_result one = {.index = index,
				 .engine = (uint32_t)index + 3,
				 .outcome = IPP_OK,
				 .error = "",
				 .host = "n1",
				 .submitted_us = 1000,
				 .started_us = 2000 + (int64_t)index,
				 .elapsed_us = 30,
				 .tries = (unsigned)index % 3,
				 .out = "out",
				 .out_bytes = index % 4,
				 .err = "e",
				 .err_bytes = index % 2};

	if (index % 4 == 1)
		one.value = (struct ipp_value){.kind = IPP_REAL, .real = 0.1 * (double)index};
	if (index % 4 == 2)
		one.value = (struct ipp_value){.kind = IPP_TEXT, .text = "said", .bytes = 4};
	if (index % 4 == 3)
		one.value = (struct ipp_value){.kind = IPP_ARRAY,
					       .dtype = "<f8",
					       .shape = shape,
					       .n_dims = 2,
					       .data = numbers,
					       .bytes = sizeof(numbers)};
	return one;
}

static void assert_same(const struct ipp_result *a, const struct ipp_result *b)
{
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->engine, b->engine);
	assert_string_equal(a->host, b->host);
	assert_int_equal(a->submitted_us, b->submitted_us);
	assert_int_equal(a->started_us, b->started_us);
	assert_int_equal(a->elapsed_us, b->elapsed_us);
	assert_int_equal(a->tries, b->tries);
	assert_int_equal(a->out_bytes, b->out_bytes);
	assert_memory_equal(a->out, b->out, a->out_bytes);
	assert_int_equal(a->err_bytes, b->err_bytes);
	assert_memory_equal(a->err, b->err, a->err_bytes);
	assert_int_equal(a->value.kind, b->value.kind);
	assert_true(a->value.real == b->value.real);
	if (a->value.kind == IPP_TEXT)
		assert_string_equal(a->value.text, b->value.text);
	if (a->value.kind != IPP_ARRAY)
		return;
	assert_string_equal(a->value.dtype, b->value.dtype);
	assert_int_equal(a->value.n_dims, b->value.n_dims);
	assert_int_equal(a->value.bytes, b->value.bytes);
	assert_memory_equal(a->value.data, b->value.data, a->value.bytes);
}

/* ---- the file ---- */

static int try_open(struct journal **journal, bool resume)
{
	struct identity map;

	assert_int_equal(identity_init(&map, &command, NULL, 0, &err), 0);
	return journal_open(journal, path, resume, &map, &err);
}

/* Without what it says of what it drops. */
static int try_open_quietly(struct journal **journal)
{
	const int said = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	int rc;

	fflush(stderr);
	dup2(null, STDERR_FILENO);
	rc = try_open(journal, true);
	dup2(said, STDERR_FILENO);
	close(said);
	close(null);
	return rc;
}

static struct journal *open_one(bool resume)
{
	struct journal *journal = NULL;

	if (try_open(&journal, resume) < 0)
		fail_msg("%s", err.text);
	return journal;
}

static int has(struct journal *journal, uint64_t index)
{
	const struct ipp_value one = item(index);

	return journal_has(journal, index, &one, &err);
}

static int try_add(struct journal *journal, uint64_t index)
{
	const struct ipp_result one = result(index);
	const struct ipp_value its = item(index);

	return journal_add(journal, &one, &its, &err);
}

static void add(struct journal *journal, uint64_t index)
{
	assert_int_equal(try_add(journal, index), 0);
}

/* How many of the first N_RESULTS it has, all of which are as they were written. */
static unsigned check_results(struct journal *journal)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < N_RESULTS; i++) {
		const struct ipp_result expected = result(i);
		struct ipp_result found;
		const int rc = has(journal, i);

		assert_true(rc == 0 || rc == 1);
		if (rc == 0)
			continue;
		assert_int_equal(journal_read(journal, i, &found, &err), 0);
		assert_same(&found, &expected);
		n++;
	}
	return n;
}

static uint8_t whole[8192];

static size_t read_whole(void)
{
	const int fd = open(path, O_RDONLY);
	const ssize_t n = read(fd, whole, sizeof(whole));

	close(fd);
	assert_true(n > 0 && (size_t)n < sizeof(whole));
	return (size_t)n;
}

static void write_whole(size_t n)
{
	const int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, whole, n), n);
	close(fd);
}

/* Results 4 0 1 | 5 | 3 2, a block each; how many bytes the file has after each block. */
static size_t n_bytes[4];
static const unsigned n_results[] = {0, 3, 4, 6};

static void write_some(void)
{
	static const uint64_t order[] = {4, 0, 1, 5, 3, 2};
	struct journal *journal = open_one(false);

	n_bytes[0] = HEAD_BYTES;
	for (unsigned block = 1, i = 0; block <= 3; block++) {
		while (i < n_results[block])
			add(journal, order[i++]);
		assert_int_equal(journal_flush(journal, &err), 0);
		n_bytes[block] = read_whole();
	}
	assert_int_equal(journal_close(journal, &err), 0);
	assert_int_equal(read_whole(), n_bytes[3]);
}

/* The last block that ends at or before byte n; -1: not even the head does. */
static int last_block(size_t n)
{
	int block = 3;

	while (block >= 0 && n_bytes[block] > n)
		block--;
	return block;
}

static void complete(struct journal *journal)
{
	for (uint64_t i = 0; i < N_RESULTS; i++)
		if (has(journal, i) == 0)
			add(journal, i);
	assert_int_equal(journal_close(journal, &err), 0);
	journal = open_one(true);
	assert_int_equal(check_results(journal), N_RESULTS);
	assert_int_equal(journal_close(journal, &err), 0);
}

static void what_was_written_is_read_back(void **state)
{
	struct journal *journal;

	(void)state;
	write_some();
	journal = open_one(true);
	assert_int_equal(check_results(journal), N_RESULTS);
	assert_int_equal(has(journal, N_RESULTS), 0);
	assert_int_equal(has(journal, UINT64_MAX), 0);
	assert_int_equal(journal_close(journal, &err), 0);
	assert_int_equal(read_whole(), n_bytes[3]);
}

/* PATH.damaged: how many bytes it has, which are the last ones of `whole`; 0: it is not there. */
static size_t take_damaged(void)
{
	char name[64];
	uint8_t kept[sizeof(whole)];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%s.damaged", path);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return 0;
	n = read(fd, kept, sizeof(kept));
	close(fd);
	unlink(name);
	assert_true(n > 0 && (size_t)n <= n_bytes[3]);
	assert_memory_equal(kept, whole + n_bytes[3] - n, n);
	return (size_t)n;
}

static void cut_off_at_any_byte_it_has_what_was_whole_and_goes_on(void **state)
{
	(void)state;
	write_some();
	for (size_t n = 0; n < n_bytes[3]; n++) {
		const int block = last_block(n);
		struct journal *journal = NULL;

		write_whole(n);
		assert_int_equal(try_open_quietly(&journal), 0);
		assert_int_equal(check_results(journal), n_results[block < 0 ? 0 : block]);
		assert_int_equal(take_damaged(), 0);
		complete(journal);
		assert_int_equal(truncate(path, 0), 0);
		write_some();
	}
}

static void damaged_at_any_byte_it_has_what_lies_before_and_keeps_the_rest(void **state)
{
	(void)state;
	write_some();
	for (size_t at = 0; at < n_bytes[3]; at++) {
		const int block = last_block(at);
		struct journal *journal = NULL;
		int rc;

		whole[at] ^= 1;
		write_whole(n_bytes[3]);
		rc = try_open_quietly(&journal);
		if (block < 0) {
			assert_true(rc == -EINVAL || rc == -EBADMSG);
			assert_int_equal(read_whole(), n_bytes[3]);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(check_results(journal), n_results[block]);
			assert_int_equal(take_damaged(), n_bytes[3] - n_bytes[block]);
			complete(journal);
		}
		assert_int_equal(truncate(path, 0), 0);
		write_some();
	}
}

static void a_disk_that_is_full_at_any_byte_leaves_what_was_whole(void **state)
{
	struct rlimit before, limit;

	(void)state;
	write_some();
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t n = n_bytes[0]; n < n_bytes[3]; n++) {
		struct journal *journal;

		write_whole(n_bytes[0]);
		journal = open_one(true);
		limit = (struct rlimit){n, before.rlim_max};
		setrlimit(RLIMIT_FSIZE, &limit);
		for (uint64_t i = 0; i < N_RESULTS; i++) {
			add(journal, i);
			if (journal_flush(journal, &err) < 0)
				break;
		}
		assert_int_equal(err.code, EFBIG);
		assert_non_null(strstr(err.text, "cannot be written: File too large; it is good up "
						 "to there: make room, and go on with --resume"));
		assert_true(try_add(journal, 5) < 0);
		assert_true(journal_close(journal, &err) < 0);
		setrlimit(RLIMIT_FSIZE, &before);
		/* Nothing is dropped, so that nothing is said. */
		complete(open_one(true));
		assert_int_equal(truncate(path, 0), 0);
		write_some();
	}
	signal(SIGXFSZ, SIG_DFL);
}

static void large_outputs_are_read_back(void **state)
{
	struct ipp_value value = {.kind = IPP_ARRAY, .dtype = "|u1", .n_dims = 1, .bytes = LARGE};
	const uint64_t large_shape[] = {LARGE};
	char *bytes = malloc(LARGE);
	struct ipp_result one = result(1), found;
	struct ipp_value its = item(1);
	struct journal *journal;

	(void)state;
	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = (char)(i * 31 % 251);
	value.shape = large_shape;
	value.data = bytes;
	one.value = value;
	one.out = bytes + 1;
	one.out_bytes = LARGE - 1;
	journal = open_one(false);
	add(journal, 0);
	assert_int_equal(journal_add(journal, &one, &its, &err), 0);
	add(journal, 2);
	assert_int_equal(journal_close(journal, &err), 0);
	journal = open_one(true);
	assert_int_equal(has(journal, 0) + has(journal, 1) + has(journal, 2), 3);
	assert_int_equal(journal_read(journal, 1, &found, &err), 0);
	assert_same(&found, &one);
	assert_int_equal(journal_close(journal, &err), 0);
	free(bytes);
}

/* More than are looked up at a time, from the last to the first. */
static void any_order_will_do(void **state)
{
	const uint64_t n = 150000;
	struct journal *journal = open_one(false);
	struct ipp_result found;

	(void)state;
	for (uint64_t i = n; i-- > 0;)
		if (i % 3 != 0) {
			add(journal, i);
			if (i % 100 == 0)
				assert_int_equal(journal_flush(journal, &err), 0);
		}
	assert_int_equal(journal_close(journal, &err), 0);
	journal = open_one(true);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(has(journal, i), i % 3 != 0);
	for (uint64_t i = 1; i < n; i += 997 * 3) {
		assert_int_equal(journal_read(journal, i, &found, &err), 0);
		assert_int_equal(found.index, i);
	}
	assert_int_equal(journal_close(journal, &err), 0);
}

/* ---- wrong use ---- */

static void assert_refused(int rc, int expected, const char *text)
{
	assert_int_equal(rc, expected);
	if (!strstr(err.text, text))
		fail_msg("%s", err.text);
}

static void two_runs_do_not_share_one(void **state)
{
	struct journal *journal = open_one(true), *other;

	(void)state;
	assert_refused(try_open(&other, true), -EBUSY, "is in use by another run of ipp-run");
	assert_int_equal(journal_close(journal, &err), 0);
}

static void one_with_results_is_not_begun_anew(void **state)
{
	struct journal *other;

	(void)state;
	assert_int_equal(journal_close(open_one(false), &err), 0);
	assert_int_equal(journal_close(open_one(false), &err), 0);
	write_some();
	assert_refused(try_open(&other, false), -EEXIST, "go on from there with --resume");
	assert_int_equal(read_whole(), n_bytes[3]);
}

static void a_changed_item_is_refused(void **state)
{
	const struct ipp_value other = {.kind = IPP_TEXT, .text = "another", .bytes = 7};
	struct journal *journal;

	(void)state;
	write_some();
	journal = open_one(true);
	assert_refused(journal_has(journal, 1, &other, &err), -EINVAL, "item 1 is not the one");
	assert_refused(journal_has(journal, 2, &other, &err), -EINVAL, "item 2 is not the one");
	assert_int_equal(journal_has(journal, 6, &other, &err), 0);
	assert_int_equal(journal_close(journal, &err), 0);
}

static void what_is_no_journal_is_left_alone(void **state)
{
	struct journal *other;

	(void)state;
	for (size_t n = 1; n < 200; n += 50) {
		memset(whole, 'x', n);
		write_whole(n);
		assert_refused(try_open(&other, true), -EINVAL, "is no journal");
		assert_refused(try_open(&other, false), -EINVAL, "is no journal");
		assert_int_equal(read_whole(), n);
	}
}

static void what_makes_another_map_is_told_apart(void **state)
{
	static const char *const others[] = {"echo", "{}", "{}", NULL};
	const struct ipp_argument argument = {"a", {.kind = IPP_INTEGER, .integer = 1}, NULL};
	const struct ipp_argument larger = {"a", {.kind = IPP_INTEGER, .integer = 2}, NULL};
	const struct ipp_run runs[] = {
		command,
		{.argv = others},
		{.function = "forest.so:loo"},
		{.function = "forest.so:fit"},
		{.function = "forest.so:fit", .arguments = &argument, .n_arguments = 1},
		{.function = "forest.so:fit", .arguments = &larger, .n_arguments = 1},
	};
	struct identity maps[7];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(identity_init(&maps[i], &runs[i], NULL, 0, &err), 0);
	assert_int_equal(identity_init(&maps[6], &runs[5], &argument, 1, &err), 0);
	for (size_t i = 0; i < 7; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(maps[i].digest, maps[k].digest, DIGEST_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_written_is_read_back, empty),
		cmocka_unit_test_setup(cut_off_at_any_byte_it_has_what_was_whole_and_goes_on,
				       empty),
		cmocka_unit_test_setup(
			damaged_at_any_byte_it_has_what_lies_before_and_keeps_the_rest, empty),
		cmocka_unit_test_setup(a_disk_that_is_full_at_any_byte_leaves_what_was_whole,
				       empty),
		cmocka_unit_test_setup(large_outputs_are_read_back, empty),
		cmocka_unit_test_setup(any_order_will_do, empty),
		cmocka_unit_test_setup(two_runs_do_not_share_one, empty),
		cmocka_unit_test_setup(one_with_results_is_not_begun_anew, empty),
		cmocka_unit_test_setup(a_changed_item_is_refused, empty),
		cmocka_unit_test_setup(what_is_no_journal_is_left_alone, empty),
		cmocka_unit_test_setup(what_makes_another_map_is_told_apart, empty),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
