/* controller/door.h on the network: who gets in with which certificate, and as what. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include "proto/descriptors.h"
#include "proto/dial.h"
#include "tests/unit/controller_peers.h"

#define N_RANKS 2

static struct identity *ours, *rank_0, *rank_1, *nobody;
static struct setup_rank cards[N_RANKS];
static char address[64], *addresses[] = {address};

static int listen_on_loopback(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t bytes = sizeof(at);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, bytes), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(at.sin_port));
	return fd;
}

static void open_door(bool by_hand)
{
	assert_int_equal(identity_new(&ours, &err), 0);
	assert_int_equal(identity_new(&rank_0, &err), 0);
	assert_int_equal(identity_new(&rank_1, &err), 0);
	assert_int_equal(identity_new(&nobody, &err), 0);
	cards[0] = (struct setup_rank){(char *)"n0", identity_fingerprint(rank_0)};
	cards[1] = (struct setup_rank){(char *)"n1", identity_fingerprint(rank_1)};
	connection_name(name, "7");
	controller = (struct setup){.job = (char *)"7",
				    .host = (char *)"head",
				    .unix_fd = unix_listen(name, &err),
				    .tcp_fds = {listen_on_loopback()},
				    .n_tcp_fds = 1,
				    .identity_pem = identity_pem(ours),
				    .owner_fd = -1,
				    .ready_fd = -1,
				    .ranks = by_hand ? NULL : cards,
				    .n_ranks = by_hand ? 0 : N_RANKS,
				    .by_hand = by_hand,
				    .key_holder = identity_fingerprint(rank_0)};
	base = event_base_new();
	assert_int_equal(cluster_init(&cluster, base, &controller), 0);
	door = door_open(&cluster, &err);
	assert_non_null(door);
}

static int setup_of_slurm(void **state)
{
	(void)state;
	open_door(false);
	return 0;
}

static int setup_of_hand(void **state)
{
	(void)state;
	open_door(true);
	return 0;
}

static int close_all(void **state)
{
	ready = -1;
	teardown(state);
	free(controller.identity_pem);
	identity_free(ours);
	identity_free(rank_0);
	identity_free(rank_1);
	identity_free(nobody);
	return 0;
}

static void dialled(void *owner, struct link *link, const struct ipp_error *why)
{
	struct peer *peer = owner;

	if (!link)
		fail_msg("%s", why->text);
	peer->link = link;
	link_own(link, &peer_events, peer);
}

/* Somebody from another node, who holds that certificate. */
static struct peer *comes(const struct identity *identity)
{
	struct connection connection = {.job = (char *)"7",
					.host = (char *)"head",
					.unix_name = (char *)"slurm-ipp/test/nobody",
					.addresses = addresses,
					.n_addresses = 1,
					.fingerprint = identity_fingerprint(ours),
					.identity_pem = identity_pem(identity)};
	struct peer *peer = calloc(1, sizeof(*peer));
	struct dial *dial = dial_start(base, &connection, 10000, dialled, peer);

	peers[n_peers++] = peer;
	turn_until(base, peer->link);
	dial_free(dial);
	free(connection.identity_pem);
	return peer;
}

/* Says what it is; whether it was let in, and else heard not a word. */
static bool enters(const struct identity *identity, Ipp__Role role, int rank)
{
	struct peer *peer = comes(identity);
	Ipp__Hello hello = IPP__HELLO__INIT;

	hello.role = role;
	hello.rank = rank;
	hello.host = (char *)"n1";
	hello.job = (char *)"7";
	link_send(peer->link, FRAME_HELLO, &hello.base, NULL);
	turn_until(base, peer->n > 0 || peer->closed);
	if (peer->n == 0)
		return false;
	assert_int_equal(peer->frames[0].type, FRAME_WELCOME);
	return true;
}

static void an_engine_has_the_certificate_of_its_rank(void **state)
{
	(void)state;
	assert_true(enters(rank_1, IPP__ROLE__ENGINE, 1));
	assert_true(enters(rank_0, IPP__ROLE__ENGINE, 0));
	assert_false(enters(rank_1, IPP__ROLE__ENGINE, 0));
	assert_false(enters(rank_1, IPP__ROLE__ENGINE, N_RANKS));
	assert_false(enters(rank_1, IPP__ROLE__ENGINE, -1));
	assert_non_null(engine_find(&cluster, 0));
	assert_non_null(engine_find(&cluster, 1));
}

static void a_standby_has_the_certificate_of_its_rank(void **state)
{
	(void)state;
	assert_true(enters(rank_1, IPP__ROLE__STANDBY, 1));
	assert_false(enters(rank_1, IPP__ROLE__STANDBY, 0));
}

static void an_engines_certificate_is_no_clients(void **state)
{
	(void)state;
	assert_false(enters(rank_0, IPP__ROLE__CLIENT, -1));
	assert_false(enters(rank_0, IPP__ROLE__CLIENT, 0));
}

/* Nothing is waited for: it would have five seconds else. */
static void a_certificate_on_no_card_is_turned_away_unheard(void **state)
{
	struct peer *peer = comes(nobody);
	struct timespec begin, end;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	turn_until(base, peer->closed);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(peer->n, 0);
	assert_true(end.tv_sec - begin.tv_sec < 4);
}

static void who_says_nothing_is_dropped_after_seconds(void **state)
{
	struct peer *far = comes(rank_0), *near = connected();

	(void)state;
	turn_until(base, far->closed && near->closed);
	assert_int_equal(far->n, 0);
	assert_int_equal(near->n, 0);
}

static void by_hand_it_is_the_certificate_of_the_file(void **state)
{
	(void)state;
	assert_true(enters(rank_0, IPP__ROLE__CLIENT, -1));
	assert_true(enters(rank_0, IPP__ROLE__ENGINE, -1));
	assert_false(enters(nobody, IPP__ROLE__CLIENT, -1));
	assert_false(enters(nobody, IPP__ROLE__ENGINE, 0));
}

/* The last descriptors are for what those send who are in. */
static void who_comes_when_few_descriptors_are_left_waits_until_another_leaves(void **state)
{
	const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit before, little;
	struct peer *last;

	(void)state;
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	little = (struct rlimit){(rlim_t)next + DESCRIPTORS_RESERVE + 3, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &little), 0);
	assert_int_equal(greeted(IPP__ROLE__ENGINE, 0, "7")->frames[0].type, FRAME_WELCOME);
	assert_int_equal(greeted(IPP__ROLE__ENGINE, 1, "7")->frames[0].type, FRAME_WELCOME);
	last = connected();
	greets(last, IPP__ROLE__CLIENT, -1, "7");
	turn_a_while(base);
	assert_int_equal(last->n, 0);
	assert_false(last->closed);
	link_free(peers[0]->link);
	peers[0]->link = NULL;
	turn_until(base, last->n > 0);
	assert_int_equal(last->frames[0].type, FRAME_WELCOME);
	setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
#define test(name, setup_it) cmocka_unit_test_setup_teardown(name, setup_it, close_all)
	const struct CMUnitTest tests[] = {
		test(an_engine_has_the_certificate_of_its_rank, setup_of_slurm),
		test(a_standby_has_the_certificate_of_its_rank, setup_of_slurm),
		test(an_engines_certificate_is_no_clients, setup_of_slurm),
		test(a_certificate_on_no_card_is_turned_away_unheard, setup_of_slurm),
		test(who_says_nothing_is_dropped_after_seconds, setup_of_slurm),
		test(who_comes_when_few_descriptors_are_left_waits_until_another_leaves,
		     setup_of_slurm),
		test(by_hand_it_is_the_certificate_of_the_file, setup_of_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
