/* The controller as its engines and clients know it: what it does when they misbehave, die, or come
 * back.  All of them are in this process, at its real sockets. */
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "controller/engine.h"
#include "tests/unit/controller_peers.h"

/* ---- who comes in ---- */

static void someone_of_another_job_is_refused(void **state)
{
	(void)state;
	assert_refused(greeted(IPP__ROLE__CLIENT, -1, "8"), "another job");
	assert_refused(greeted(IPP__ROLE__ENGINE, 0, "8"), "another job");
}

static void whoever_does_not_say_hello_is_refused(void **state)
{
	struct peer *rude = connected();

	(void)state;
	link_send(rude->link, FRAME_STOP, NULL, NULL);
	assert_refused(rude, "HELLO");
}

static void a_process_of_another_user_is_closed_unheard(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					    strlen(name));
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	memcpy(address.sun_path + 1, name, strlen(name));
	pid = fork();
	if (pid == 0) {
		const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		const struct timeval at_once = {.tv_sec = 2}; /* strangers are given 5 s */
		char byte;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &at_once, sizeof(at_once));
		if (setuid(65534) < 0 || connect(fd, (struct sockaddr *)&address, bytes) < 0)
			_exit(1);
		if (read(fd, &byte, 1) != 0)
			_exit(2);
		_exit(unix_connect(name, &err) == -EPERM &&
				      strstr(err.text, "belongs to another user")
			      ? 0
			      : 3);
	}
	turn_until(base, waitpid(pid, &status, WNOHANG) == pid);
	assert_int_equal(status, 0);
}

static void engines_without_a_rank_get_the_first_that_is_free(void **state)
{
	Ipp__Welcome *welcome;
	struct peer *engine;

	(void)state;
	engine_joins(0);
	engine = engine_joins(-1);
	welcome = peer_message(engine, 0, &ipp__welcome__descriptor);
	assert_int_equal(welcome->rank, 1);
	assert_string_equal(welcome->host, "head");
	ipp__welcome__free_unpacked(welcome, NULL);
}

static void clients_are_told_who_is_there(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);
	Ipp__Roster *roster;

	(void)state;
	engine_joins(3);
	engine_joins(1);
	greeted(IPP__ROLE__STANDBY, 5, "7");
	link_send(client->link, FRAME_ROSTER, NULL, NULL);
	turn_until(base, count(client, FRAME_ROSTER) == 1);
	roster = peer_message(client, latest(client, FRAME_ROSTER), &ipp__roster__descriptor);
	assert_int_equal(roster->n_engines, 2);
	assert_int_equal(roster->engines[0]->rank, 1);
	assert_int_equal(roster->engines[1]->rank, 3);
	assert_string_equal(roster->engines[1]->host, "n9");
	assert_int_equal(roster->engines[1]->pid, 4242);
	ipp__roster__free_unpacked(roster, NULL);
}

/* ---- readiness ---- */

static void read_verdict(char *text, size_t bytes)
{
	const ssize_t n = read(ready, text, bytes - 1);

	text[n > 0 ? n : 0] = '\0';
}

static int setup_three(void **state)
{
	(void)state;
	open_cluster(3, 200);
	return 0;
}

static void readiness_is_told_when_all_engines_are_there(void **state)
{
	char text[1024];

	(void)state;
	engine_joins(0);
	engine_joins(2);
	assert_false(cluster.ready);
	engine_joins(1);
	assert_true(cluster.ready);
	read_verdict(text, sizeof(text));
	assert_string_equal(text, "ready\n");
}

static void the_deadline_names_who_is_missing_and_where(void **state)
{
	char text[1024];
	struct peer *engine = engine_joins(1);

	(void)state;
	turn_until(base, cluster.ending);
	read_verdict(text, sizeof(text));
	assert_non_null(strstr(text, "error: 1 of 3 engines after 0.2 s; missing "
				     "rank 0 on n0, rank 2 on n2; "));
	turn_until(base, count(engine, FRAME_GOODBYE) == 1);
}

static int setup_two_and_a_standby(void **state)
{
	(void)state;
	open_cluster(2, 200);
	return 0;
}

static void standbys_are_waited_for_too(void **state)
{
	Ipp__Welcome *welcome;
	struct peer *standby;

	(void)state;
	engine_joins(0);
	engine_joins(1);
	assert_false(cluster.ready);
	standby = greeted(IPP__ROLE__STANDBY, 2, "7");
	assert_true(cluster.ready);
	welcome = peer_message(standby, 0, &ipp__welcome__descriptor);
	assert_int_equal(welcome->rank, 2);
	ipp__welcome__free_unpacked(welcome, NULL);
}

static void a_standby_that_does_not_come_is_named(void **state)
{
	char text[1024];

	(void)state;
	engine_joins(1);
	engine_joins(0);
	turn_until(base, cluster.ending);
	read_verdict(text, sizeof(text));
	assert_non_null(strstr(text, "error: 2 of 3 tasks after 0.2 s; missing rank 2 on n2; "));
}

static void a_rank_beyond_the_last_is_refused(void **state)
{
	(void)state;
	assert_refused(greeted(IPP__ROLE__ENGINE, 3, "7"), "no place");
}

/* ---- misbehaviour ---- */

static void a_client_that_sends_what_clients_do_not_is_refused(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);
	Ipp__Results results = IPP__RESULTS__INIT;

	(void)state;
	link_send(client->link, FRAME_RESULTS, &results.base, NULL);
	assert_refused(client, "a RESULTS frame, which clients do not");
}

static void a_request_number_of_another_client_is_refused(void **state)
{
	uint64_t mine, theirs;
	struct peer *client = client_joins(&mine);

	(void)state;
	client_joins(&theirs);
	map(client, theirs, 1);
	assert_refused(client, "not its to make");
}

static void tasks_out_of_turn_are_refused(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	map(client, request, 5);
	map(client, request, 5);
	assert_refused(client, "");
	client = client_joins(&request);
	call.request = request;
	link_send(client->link, FRAME_CALL, &call.base, NULL);
	send_items(client, request, 0, 0);
	assert_refused(client, "TASKS");
}

static void a_refusal_does_not_disturb_others(void **state)
{
	uint64_t request, rude_request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	struct peer *rude = client_joins(&rude_request);

	(void)state;
	map(rude, rude_request, 5);
	assert_given(engine, 1, 0);
	link_send(rude->link, FRAME_WELCOME, NULL, NULL);
	assert_refused(rude, "WELCOME");
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
	map(client, request, 1);
	assert_given(engine, 2, 0);
}

static void an_engine_that_sends_what_engines_do_not_is_dropped(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	link_send(engine->link, FRAME_STOP, NULL, NULL);
	turn_until(base, engine->closed);
	turn_a_while(base);
	assert_noticed(client, "it sent a STOP frame, which engines do not");
}

static void targets_that_no_cluster_has_are_refused(void **state)
{
	static uint32_t many[SETUP_RANKS_MAX + 1];
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__List list = IPP__LIST__INIT;

	(void)state;
	for (size_t n = 0; n <= SETUP_RANKS_MAX + 1; n += SETUP_RANKS_MAX + 1) {
		uint64_t request;
		struct peer *client = client_joins(&request);

		apply(client, request, many, n);
		assert_refused(client, "a CALL frame is malformed");
		client = client_joins(&request);
		push(client, request, many, n, "x", 1);
		assert_refused(client, "a PUSH frame is malformed");
		client = client_joins(&request);
		targets.ranks = many;
		targets.n_ranks = n;
		list.request = request;
		list.targets = &targets;
		link_send(client->link, FRAME_LIST, &list.base, NULL);
		assert_refused(client, "a PULL, LIST or REMOVE frame is malformed");
	}
}

/* An engine's CALL has more in its head than the client's. */
static void a_call_whose_head_leaves_the_controller_no_room_is_refused(void **state)
{
	static char function[FRAME_HEAD_MAX - 100];
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Call call = IPP__CALL__INIT;

	(void)state;
	memset(function, 'x', sizeof(function) - 1);
	call.request = request;
	call.function = function;
	link_send(client->link, FRAME_CALL, &call.base, NULL);
	assert_refused(client, "a CALL frame is malformed");
	assert_false(engine->closed);
}

/* ---- the end ---- */

static void when_it_is_stopped_everyone_is_told(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	struct peer *standby = greeted(IPP__ROLE__STANDBY, 1, "7");

	(void)state;
	link_send(client->link, FRAME_STOP, NULL, NULL);
	turn_until(base, count(client, FRAME_GOODBYE) && count(engine, FRAME_GOODBYE) &&
				 count(standby, FRAME_GOODBYE));
	assert_true(cluster.ending);
}

static void whoever_comes_when_it_ends_gets_a_goodbye(void **state)
{
	(void)state;
	engine_joins(0);
	cluster_end(&cluster, "enough");
	for (int role = IPP__ROLE__CLIENT; role <= IPP__ROLE__STANDBY; role++)
		assert_int_equal(greeted((Ipp__Role)role, 1, "7")->frames[0].type, FRAME_GOODBYE);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define TEST_OF_THREE(test) cmocka_unit_test_setup_teardown(test, setup_three, teardown)
#define TEST_WITH_STANDBY(test)                                                                    \
	cmocka_unit_test_setup_teardown(test, setup_two_and_a_standby, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(someone_of_another_job_is_refused),
		TEST(whoever_does_not_say_hello_is_refused),
		TEST(a_process_of_another_user_is_closed_unheard),
		TEST(engines_without_a_rank_get_the_first_that_is_free),
		TEST(clients_are_told_who_is_there),
		TEST_OF_THREE(readiness_is_told_when_all_engines_are_there),
		TEST_OF_THREE(the_deadline_names_who_is_missing_and_where),
		TEST_WITH_STANDBY(standbys_are_waited_for_too),
		TEST_WITH_STANDBY(a_standby_that_does_not_come_is_named),
		TEST_OF_THREE(a_rank_beyond_the_last_is_refused),
		TEST(a_client_that_sends_what_clients_do_not_is_refused),
		TEST(a_request_number_of_another_client_is_refused),
		TEST(tasks_out_of_turn_are_refused),
		TEST(a_refusal_does_not_disturb_others),
		TEST(an_engine_that_sends_what_engines_do_not_is_dropped),
		TEST(when_it_is_stopped_everyone_is_told),
		TEST(whoever_comes_when_it_ends_gets_a_goodbye),
		TEST(targets_that_no_cluster_has_are_refused),
		TEST(a_call_whose_head_leaves_the_controller_no_room_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
