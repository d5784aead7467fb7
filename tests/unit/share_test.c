/* engine/share.h: payloads that the engines of a node get from one another, or not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "engine/share.h"
#include "proto/connection.h"
#include "proto/unix_socket.h"
#include "tests/unit/wire.h"

/* One engine: what it has to hand on, and what came of its question. */
struct one {
	struct share *share;
	uint64_t serial;
	struct blob *payload;
	unsigned n_fetched;
	struct blob *fetched;
};

static struct event_base *base;
static struct one lead, other;

static struct blob *find(void *owner, uint64_t serial)
{
	const struct one *one = owner;

	return one->serial == serial ? one->payload : NULL;
}

static void on_fetched(void *owner, uint64_t serial, struct blob *payload)
{
	struct one *one = owner;

	assert_int_equal(serial, 7);
	one->n_fetched++;
	one->fetched = blob_ref(payload);
}

static const struct share_events events = {.find = find, .on_fetched = on_fetched};

static int setup(void **state)
{
	struct ipp_error err;

	(void)state;
	base = event_base_new();
	lead = other = (struct one){0};
	lead.share = share_open(base, "test", &events, &lead, &err);
	other.share = share_open(base, "test", &events, &other, &err);
	return lead.share && other.share ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	share_close(lead.share);
	share_close(other.share);
	blob_unref(lead.payload);
	blob_unref(other.fetched);
	event_base_free(base);
	return 0;
}

static void lead_gets(uint64_t serial)
{
	lead.serial = serial;
	lead.payload = blob_new(BLOB_MEMFD_MIN);
	memset(lead.payload->data, 'x', BLOB_MEMFD_MIN);
	assert_int_equal(blob_seal(lead.payload, NULL), 0);
	share_arrived(lead.share, serial);
}

static void assert_fetched(bool well)
{
	assert_int_equal(other.n_fetched, 1);
	assert_int_equal(other.fetched != NULL, well);
	if (well) {
		assert_int_equal(other.fetched->bytes, BLOB_MEMFD_MIN);
		assert_int_equal(other.fetched->data[BLOB_MEMFD_MIN - 1], 'x');
	}
}

static void what_a_lead_has_it_gives(void **state)
{
	(void)state;
	lead_gets(7);
	share_fetch(other.share, share_name(lead.share), 7);
	turn_until(base, other.n_fetched > 0);
	assert_fetched(true);
}

/* Longer than a silent one is waited for. */
static void a_lead_that_waits_itself_is_waited_for(void **state)
{
	const struct timeval while_it_waits = {.tv_sec = 4, .tv_usec = 500000};

	(void)state;
	share_fetch(other.share, share_name(lead.share), 7);
	event_base_loopexit(base, &while_it_waits);
	event_base_dispatch(base);
	assert_int_equal(other.n_fetched, 0);
	lead_gets(7);
	turn_until(base, other.n_fetched > 0);
	assert_fetched(true);
}

static void a_lead_that_has_later_ones_refuses(void **state)
{
	(void)state;
	lead_gets(8);
	share_fetch(other.share, share_name(lead.share), 7);
	turn_until(base, other.n_fetched > 0);
	assert_fetched(false);
}

static void a_lead_that_is_gone_is_not_waited_for(void **state)
{
	(void)state;
	share_fetch(other.share, "slurm-ipp/test/nobody", 7);
	assert_int_equal(other.n_fetched, 0);
	turn_until(base, other.n_fetched > 0);
	assert_fetched(false);
}

/* Stopped: the kernel takes the connection, and nobody ever answers. */
static void a_silent_lead_is_given_up(void **state)
{
	char name[CONNECTION_NAME_BYTES];
	struct ipp_error err;
	int fd;

	(void)state;
	connection_name(name, "test");
	fd = unix_listen(name, &err);
	assert_true(fd >= 0);
	share_fetch(other.share, name, 7);
	turn_until(base, other.n_fetched > 0);
	assert_fetched(false);
	close(fd);
}

static void what_was_given_up_does_not_come(void **state)
{
	const struct timeval soon = {.tv_usec = 100000};

	(void)state;
	lead_gets(7);
	share_fetch(other.share, share_name(lead.share), 7);
	share_give_up(other.share);
	event_base_loopexit(base, &soon);
	event_base_dispatch(base);
	assert_int_equal(other.n_fetched, 0);
}

/* The kernel says of a connection that it cannot be accepted as often as it is asked. */
static void without_descriptors_a_lead_rests_and_then_answers(void **state)
{
	const struct timeval some_time = {.tv_sec = 1};
	struct rlimit limit, little;
	unsigned turns = 0;
	int taken[64], n = 0;

	(void)state;
	lead_gets(7);
	share_fetch(other.share, share_name(lead.share), 7);
	getrlimit(RLIMIT_NOFILE, &limit);
	little = limit;
	little.rlim_cur = 60;
	setrlimit(RLIMIT_NOFILE, &little);
	while (n < 64 && (taken[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	assert_true(n < 64);
	event_base_loopexit(base, &some_time);
	while (!event_base_got_exit(base)) {
		event_base_loop(base, EVLOOP_ONCE);
		turns++;
	}
	assert_int_equal(other.n_fetched, 0);
	assert_true(turns < 100);
	while (n > 0)
		close(taken[--n]);
	setrlimit(RLIMIT_NOFILE, &limit);
	turn_until(base, other.n_fetched > 0);
	assert_fetched(true);
}

#define SHARE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARE_TEST(what_a_lead_has_it_gives),
		SHARE_TEST(a_lead_that_waits_itself_is_waited_for),
		SHARE_TEST(a_lead_that_has_later_ones_refuses),
		SHARE_TEST(a_lead_that_is_gone_is_not_waited_for),
		SHARE_TEST(a_silent_lead_is_given_up),
		SHARE_TEST(what_was_given_up_does_not_come),
		SHARE_TEST(without_descriptors_a_lead_rests_and_then_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
