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

/* ---- engines that are started again ---- */

static void ask_for_all(struct peer *client)
{
	Ipp__Roster question = IPP__ROSTER__INIT;

	question.whole = true;
	link_send(client->link, FRAME_ROSTER, &question.base, NULL);
	turn_a_while(base);
}

/* Its `nth` answer, once it has come, names so many engines. */
static void assert_told(struct peer *client, size_t nth, size_t n_engines)
{
	Ipp__Roster *roster;

	turn_until(base, count(client, FRAME_ROSTER) >= nth);
	assert_int_equal(count(client, FRAME_ROSTER), nth);
	roster = peer_message(client, latest(client, FRAME_ROSTER), &ipp__roster__descriptor);
	assert_int_equal(roster->n_engines, n_engines);
	ipp__roster__free_unpacked(roster, NULL);
}

/* As when its time is over. */
static void stays_away(uint32_t rank)
{
	cluster.engines[rank]->awaited_until_us = 1;
	event_active(cluster.returning, EV_TIMEOUT, 1);
	turn_a_while(base);
}

static void all_engines_are_told_once_those_that_were_lost_are_back(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);
	struct peer *first = engine_joins(0), *second = engine_joins(1);

	(void)state;
	leaves(first);
	leaves(second);
	ask_for_all(client);
	engine_joins(1);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ROSTER), 0);
	link_send(client->link, FRAME_ROSTER, NULL, NULL); /* who is there now? */
	assert_told(client, 1, 1);
	engine_joins(0);
	assert_told(client, 2, 2);
	ask_for_all(client);
	assert_told(client, 3, 2);
}

static void an_engine_that_stays_away_is_not_waited_for_again(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(1);

	(void)state;
	engine_joins(0);
	leaves(engine);
	ask_for_all(client);
	apply(client, request, (uint32_t[]){1}, 1);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_ROSTER) + count(client, FRAME_RESULTS), 0);
	assert_true(event_pending(cluster.returning, EV_TIMEOUT, NULL));
	stays_away(1);
	assert_told(client, 1, 1);
	assert_lost(client, 0, "engine 1 on n9 was lost and did not come back");
	ask_for_all(client);
	assert_told(client, 2, 1);
	apply(client, request + 1, (uint32_t[]){1}, 1);
	turn_until(base, count(client, FRAME_RESULTS) == 2);
	assert_lost(client, 0, "there is no such engine");
	leaves(engine_joins(1)); /* it has registered: it counts again */
	ask_for_all(client);
	assert_int_equal(count(client, FRAME_ROSTER), 2);
	engine_joins(1);
	assert_told(client, 3, 2);
}

static void engines_of_a_cluster_by_hand_are_not_waited_for(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(1);

	(void)state;
	controller.by_hand = true;
	engine_joins(0);
	leaves(engine);
	ask_for_all(client);
	assert_told(client, 1, 1);
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

/* ---- results ---- */

static void a_map_ends_with_each_result_once(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	map(client, request, 20);
	work_until(engine, client, request, 20);
	assert_each_once(client, 20);
	assert_int_equal(count(engine, FRAME_CALL), 1);
	turn_until(base, count(engine, FRAME_CLOSE) == 1); /* it can wait */
}

/* Engine 0 has finished task 0 and has at least the tasks 1 to 4. */
static void begin_map(struct peer *client, struct peer *engine, uint64_t request)
{
	uint64_t first, n;

	map(client, request, 20);
	assert_given(engine, 1, 0);
	answer_one(engine, request, 0, 10);
	given(engine, 2, &first, &n);
	assert_int_equal(first, 1);
	assert_true(n >= 4);
}

static void a_result_out_of_turn_costs_the_engine_and_no_result(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *liar = engine_joins(0), *engine;

	(void)state;
	begin_map(client, liar, request);
	answer(liar, request, (uint64_t[]){1, 3}, 2, 10);
	turn_until(base, liar->closed);
	assert_noticed(client, "engine 0 on n9 was lost: a result came that was not its turn");
	engine = engine_joins(1);
	work_until(engine, client, request, 19);
	assert_each_once(client, 20);
}

static void the_tasks_of_a_lost_engine_go_to_the_next_in_order(void **state)
{
	uint64_t request, first, n, next = 2;
	size_t frames = 0;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	begin_map(client, engine, request);
	answer_one(engine, request, 1, 10);
	turn_a_while(base);
	leaves(engine);
	assert_noticed(client, "engine 0 on n9 was lost: its process ended");
	engine = engine_joins(1);
	while (next < 20) {
		given(engine, ++frames, &first, &n);
		assert_int_equal(first, next);
		for (uint64_t i = 0; i < n; i++)
			answer_one(engine, request, first + i, 100000);
		next += n;
	}
	turn_a_while(base);
	assert_each_once(client, 20);
}

static void a_task_that_loses_four_engines_is_given_up_with_its_cause(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine;

	(void)state;
	map(client, request, 2);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(count(client, FRAME_RESULTS), 0);
		engine = engine_joins(0);
		assert_given(engine, 1, 0);
		leaves(engine);
	}
	turn_until(base, count(client, FRAME_RESULTS) == 1);
	assert_lost(client, 0, "engine 0 on n9 was lost: its process ended");
	engine = engine_joins(0);
	assert_given(engine, 1, 1); /* the rest goes on */
	answer_one(engine, request, 1, 10);
	turn_until(base, count(client, FRAME_RESULTS) == 2);
}

static void a_task_of_a_direct_view_is_lost_with_its_engine(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	engine_joins(1);
	apply(client, request, (uint32_t[]){1, 0}, 2);
	assert_given(engine, 1, 1); /* its place among the targets */
	leaves(engine);
	assert_lost(client, 1, "engine 0 on n9 was lost");
}

static void a_target_that_is_not_there_is_told_at_once(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	apply(client, request, (uint32_t[]){9}, 1);
	turn_until(base, count(client, FRAME_RESULTS) == 1);
	assert_lost(client, 0, "there is no such engine");
}

static void late_results_of_a_cancelled_map_are_ignored(void **state)
{
	uint64_t request;
	size_t frames;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	begin_map(client, engine, request);
	cancel(client, request);
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
	answer_one(engine, request, 1, 10);
	frames = count(engine, FRAME_TASKS);
	map(client, request + 1, 1);
	assert_given(engine, frames + 1, 0);
	answer_one(engine, request + 1, 0, 10);
	turn_until(base, count(client, FRAME_RESULTS) == 2); /* task 0 of each */
	assert_false(engine->closed);
}

static void a_client_that_goes_takes_its_map_along(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	begin_map(client, engine, request);
	leaves(client);
	turn_until(base, count(engine, FRAME_CANCEL) == 1);
	assert_null(cluster.requests);
}

static void clients_take_turns(void **state)
{
	uint64_t mine, theirs;
	struct peer *one = client_joins(&mine), *other = client_joins(&theirs);
	struct peer *engine;
	size_t n[2] = {0, 0};

	(void)state;
	map(one, mine, 10);
	map(other, theirs, 10);
	turn_a_while(base);
	engine = engine_joins(0);
	for (size_t at = 0; n[0] + n[1] < 10; at++) {
		Ipp__Tasks *tasks;

		turn_until(base, at < engine->n);
		if (engine->frames[at].type != FRAME_TASKS)
			continue;
		tasks = peer_message(engine, at, &ipp__tasks__descriptor);
		n[tasks->request == mine] += tasks->count;
		answer_one(engine, tasks->request, tasks->first, 1000000);
		ipp__tasks__free_unpacked(tasks, NULL);
	}
	assert_int_equal(n[0], 5);
	assert_int_equal(n[1], 5);
}

/* ---- variables ---- */

static Ipp__Results *results_of(struct peer *client, size_t nth)
{
	turn_until(base, count(client, FRAME_RESULTS) == nth);
	return peer_message(client, latest(client, FRAME_RESULTS), &ipp__results__descriptor);
}

static void a_push_names_each_target_that_could_not(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	struct peer *dying = engine_joins(1);
	Ipp__Results *results;

	(void)state;
	push(client, request, (uint32_t[]){0, 1, 7}, 3, "x", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 1 && count(dying, FRAME_PUSH) == 1);
	answer_done(engine, request);
	turn_a_while(base);
	assert_int_equal(count(client, FRAME_RESULTS), 0);
	leaves(dying);
	results = results_of(client, 1);
	assert_int_equal(results->request, request);
	assert_int_equal(results->n_results, 3);
	assert_int_equal(results->results[0]->outcome, IPP__OUTCOME__OK);
	assert_int_equal(results->results[1]->engine, 1);
	assert_non_null(strstr(results->results[1]->error, "engine 1 on n9 was lost"));
	assert_int_equal(results->results[2]->engine, 7);
	assert_string_equal(results->results[2]->error, "there is no such engine");
	ipp__results__free_unpacked(results, NULL);
}

static void an_engine_that_comes_back_gets_its_variables_and_lives(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	int64_t sum = 0;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		push(client, request + i, (uint32_t[]){0}, 1, i == 1 ? "y" : "x", 1 << i);
		turn_until(base, count(engine, FRAME_PUSH) == i + 1);
		answer_done(engine, request + i);
	}
	ipp__results__free_unpacked(results_of(client, 3), NULL);
	leaves(engine);
	engine = engine_joins(0);
	turn_until(base, count(engine, FRAME_PUSH) == 2);
	turn_a_while(base);
	for (size_t i = 0; i < engine->n; i++) {
		Ipp__Push *again;

		if (engine->frames[i].type != FRAME_PUSH)
			continue;
		again = peer_message(engine, i, &ipp__push__descriptor);
		sum += again->value->integer;
		answer_done(engine, again->request); /* as engines do */
		ipp__push__free_unpacked(again, NULL);
	}
	assert_int_equal(sum, 2 + 4); /* the later x */
	turn_a_while(base);
	assert_false(engine->closed);
	assert_int_equal(count(client, FRAME_RESULTS), 3);
	push(client, request + 3, (uint32_t[]){0}, 1, "z", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 3);
	answer_done(engine, request + 3);
	ipp__results__free_unpacked(results_of(client, 4), NULL);
}

static void says_replaced(struct peer *engine, uint64_t serial)
{
	Ipp__Remove replaced = IPP__REMOVE__INIT;

	replaced.name = (char *)"x";
	replaced.serial = serial;
	link_send(engine->link, FRAME_REMOVE, &replaced.base, NULL);
	turn_a_while(base);
}

static void what_a_function_stored_is_not_replaced_by_what_was_pushed_before(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Push *pushed;

	(void)state;
	push(client, request, (uint32_t[]){0}, 1, "x", 1);
	push(client, request + 1, (uint32_t[]){0}, 1, "y", 2);
	turn_until(base, count(engine, FRAME_PUSH) == 2);
	answer_done(engine, request);
	answer_done(engine, request + 1);
	says_replaced(engine, 1);
	says_replaced(engine, 99); /* which there is not */
	leaves(engine);
	engine = engine_joins(0);
	turn_a_while(base);
	assert_int_equal(count(engine, FRAME_PUSH), 1);
	pushed = peer_message(engine, latest(engine, FRAME_PUSH), &ipp__push__descriptor);
	assert_string_equal(pushed->value->name, "y");
	ipp__push__free_unpacked(pushed, NULL);
}

static void a_push_that_crosses_what_a_function_stored_stays(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);

	(void)state;
	push(client, request, (uint32_t[]){0}, 1, "x", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 1);
	answer_done(engine, request);
	push(client, request + 1, (uint32_t[]){0}, 1, "x", 2);
	turn_until(base, count(engine, FRAME_PUSH) == 2);
	says_replaced(engine, 1);
	leaves(engine);
	engine = engine_joins(0);
	turn_until(base, count(engine, FRAME_PUSH) == 1);
}

static void what_is_for_an_engine_that_is_away_waits_for_it(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request), *engine = engine_joins(0);
	Ipp__Results *results;
	Ipp__Push *pushed;

	(void)state;
	push(client, request, (uint32_t[]){0}, 1, "x", 1);
	turn_until(base, count(engine, FRAME_PUSH) == 1);
	answer_done(engine, request);
	leaves(engine);
	push(client, request + 1, (uint32_t[]){0}, 1, "x", 2);
	results = results_of(client, 2);
	assert_int_equal(results->results[0]->outcome, IPP__OUTCOME__OK);
	ipp__results__free_unpacked(results, NULL);
	apply(client, request + 2, (uint32_t[]){0}, 1);
	turn_a_while(base);
	engine = engine_joins(0);
	turn_until(base, count(engine, FRAME_TASKS) == 1);
	assert_int_equal(count(engine, FRAME_PUSH), 1);
	pushed = peer_message(engine, latest(engine, FRAME_PUSH), &ipp__push__descriptor);
	assert_int_equal(pushed->value->integer, 2);
	answer_done(engine, pushed->request);
	ipp__push__free_unpacked(pushed, NULL);
	answer_one(engine, request + 2, 0, 10);
	turn_until(base, count(client, FRAME_RESULTS) == 3);
	assert_false(engine->closed);
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

	(void)state;
	map(client, request, 5);
	map(client, request, 5);
	assert_refused(client, "");
	client = client_joins(&request);
	map(client, request, 0);
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
		TEST(all_engines_are_told_once_those_that_were_lost_are_back),
		TEST(an_engine_that_stays_away_is_not_waited_for_again),
		TEST(engines_of_a_cluster_by_hand_are_not_waited_for),
		TEST_OF_THREE(readiness_is_told_when_all_engines_are_there),
		TEST_OF_THREE(the_deadline_names_who_is_missing_and_where),
		TEST_WITH_STANDBY(standbys_are_waited_for_too),
		TEST_WITH_STANDBY(a_standby_that_does_not_come_is_named),
		TEST_OF_THREE(a_rank_beyond_the_last_is_refused),
		TEST(a_map_ends_with_each_result_once),
		TEST(a_result_out_of_turn_costs_the_engine_and_no_result),
		TEST(the_tasks_of_a_lost_engine_go_to_the_next_in_order),
		TEST(a_task_that_loses_four_engines_is_given_up_with_its_cause),
		TEST(a_task_of_a_direct_view_is_lost_with_its_engine),
		TEST(a_target_that_is_not_there_is_told_at_once),
		TEST(late_results_of_a_cancelled_map_are_ignored),
		TEST(a_client_that_goes_takes_its_map_along),
		TEST(clients_take_turns),
		TEST(a_push_names_each_target_that_could_not),
		TEST(an_engine_that_comes_back_gets_its_variables_and_lives),
		TEST(what_is_for_an_engine_that_is_away_waits_for_it),
		TEST(what_a_function_stored_is_not_replaced_by_what_was_pushed_before),
		TEST(a_push_that_crosses_what_a_function_stored_stays),
		TEST(a_client_that_sends_what_clients_do_not_is_refused),
		TEST(a_request_number_of_another_client_is_refused),
		TEST(tasks_out_of_turn_are_refused),
		TEST(a_refusal_does_not_disturb_others),
		TEST(an_engine_that_sends_what_engines_do_not_is_dropped),
		TEST(when_it_is_stopped_everyone_is_told),
		TEST(whoever_comes_when_it_ends_gets_a_goodbye),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
