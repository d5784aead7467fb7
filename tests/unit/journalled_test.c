/* A map with a journal that waits for results which do not come. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "client/journal/journal.h"
#include "client/journal/journalled.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

static unsigned n_synced;

/* In place of the C library's, which calls it __fildes.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int fdatasync(int fd)
{
	(void)fd;
	n_synced++;
	return 0;
}

/* In place of the client's: nothing ever comes. */
int ipp_wait(struct ipp_request *request, int timeout_ms, struct ipp_error *err)
{
	const struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	(void)request;
	nanosleep(&time, NULL);
	return ipp_fail(err, ETIMEDOUT, "nothing came");
}

int ipp_take_rest(struct ipp_request *request,
		  void (*take)(void *owner, const struct ipp_result *result), struct ipp_error *err)
{
	(void)request;
	(void)take;
	(void)err;
	return 0;
}

static int next(void *owner, struct ipp_value *item)
{
	(void)owner;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = 7};
	return 1;
}

static void what_came_before_a_silence_is_put_on_disk(void **state)
{
	static const char *const words[] = {"echo", "{}", NULL};
	const struct ipp_run map = {.argv = words, .label = "echo {}", .next = next};
	const struct ipp_result result = {.outcome = IPP_OK, .error = "", .host = "n1"};
	char path[] = "/tmp/ipp-journalled-XXXXXX";
	struct journalled journalled;
	struct journal *journal;
	struct identity identity;
	struct ipp_value item;
	struct ipp_error err;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(identity_init(&identity, &map, NULL, 0, &err), 0);
	assert_int_equal(journal_open(&journal, path, false, &identity, &err), 0);
	journalled_init(&journalled, &map, journal, 0);
	assert_int_equal(journalled.run.next(journalled.run.owner, &item), 1);
	assert_int_equal(journalled.run.arrived(journalled.run.owner, &result), 0);
	assert_int_equal(journalled.run.pause(journalled.run.owner), 0);
	n_synced = 0;
	for (unsigned i = 0; i < 100 && n_synced == 0; i++)
		assert_int_equal(journalled_wait(&journalled, NULL, 100, &err), -ETIMEDOUT);
	assert_int_equal(n_synced, 1);
	assert_int_equal(journalled_wait(&journalled, NULL, 1100, &err), -ETIMEDOUT);
	assert_int_equal(n_synced, 1);
	journalled_fini(&journalled);
	assert_int_equal(journal_close(journal, &err), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_before_a_silence_is_put_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
