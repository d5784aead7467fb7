/* controller/errand.h: values that are read, with a controller and its peers in this process. */
#include "controller/client.h"
#include "tests/unit/controller_peers.h"

#define N 10
#define VALUE_BYTES ((size_t)20 << 20)

static struct peer *engines[N];

/* As if they were on another node. */
static void far_engines_join(void)
{
	for (int rank = 0; rank < N; rank++) {
		engines[rank] = engine_joins(rank);
		cluster.engines[rank]->share = strdup("slurm-ipp/7/nobody");
	}
}

static size_t n_asked(void)
{
	size_t n = 0;

	for (size_t i = 0; i < N; i++)
		n += count(engines[i], FRAME_PULL);
	return n;
}

static void answer_value(size_t rank, uint64_t request, struct blob *value)
{
	Ipp__Result result = IPP__RESULT__INIT;

	result.index = rank;
	answer_with(engines[rank], request, &result, value);
}

static Ipp__Pull *pull_of_all(uint64_t request)
{
	static uint32_t ranks[N];
	static Ipp__Targets targets = IPP__TARGETS__INIT;
	static Ipp__Pull pull = IPP__PULL__INIT;

	for (uint32_t i = 0; i < N; i++)
		ranks[i] = i;
	targets.ranks = ranks;
	targets.n_ranks = N;
	pull.request = request;
	pull.targets = &targets;
	pull.name = (char *)"x";
	return &pull;
}

static void values_of_other_nodes_come_four_at_a_time(void **state)
{
	uint64_t request;
	struct peer *client = client_joins(&request);

	(void)state;
	far_engines_join();
	link_send(client->link, FRAME_PULL, &pull_of_all(request)->base, NULL);
	for (size_t i = 0; i < N; i++) {
		turn_a_while(base);
		assert_int_equal(n_asked(), i + 4 < N ? i + 4 : N);
		answer_value(i, request, NULL);
	}
	turn_until(base, count(client, FRAME_RESULTS) == N);
	assert_each_once(client, N);
}

/* Of a client that does not read. */
static void say(int fd, uint16_t type, const ProtobufCMessage *message)
{
	const size_t bytes = protobuf_c_message_get_packed_size(message);
	const struct frame_header header = {.type = type, .head_bytes = (uint32_t)bytes};
	uint8_t frame[4096];

	assert_true(FRAME_HEADER_BYTES + bytes <= sizeof(frame));
	frame_encode(&header, frame);
	protobuf_c_message_pack(message, frame + FRAME_HEADER_BYTES);
	assert_int_equal(write(fd, frame, FRAME_HEADER_BYTES + bytes), FRAME_HEADER_BYTES + bytes);
	turn_a_while(base);
}

/* Another client is not held up. */
static void list_last(struct peer *other, uint64_t request)
{
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__List list = IPP__LIST__INIT;

	targets.ranks = (uint32_t[]){N - 1};
	targets.n_ranks = 1;
	list.request = request;
	list.targets = &targets;
	link_send(other->link, FRAME_LIST, &list.base, NULL);
	turn_until(base, count(engines[N - 1], FRAME_LIST) == 1);
	assert_int_equal(count(engines[N - 1], FRAME_PULL), 0);
	answer_one(engines[N - 1], request, 0, 10);
	turn_until(base, count(other, FRAME_RESULTS) == 1);
}

/* The hello of one that does not read: its socket, and its first request. */
static int client_joins_deaf(uint64_t *first_request)
{
	const int fd = unix_connect(name, &err);
	Ipp__Hello hello = IPP__HELLO__INIT;

	hello.job = (char *)"7";
	say(fd, FRAME_HELLO, &hello.base);
	*first_request = (uint64_t)cluster.clients->number << 32 | 1; /* the latest is the first */
	return fd;
}

static void a_client_that_takes_no_values_does_not_fill_the_controller_with_them(void **state)
{
	uint64_t theirs, request;
	struct peer *other = client_joins(&theirs);
	const int fd = client_joins_deaf(&request);
	struct blob *value = blob_new(VALUE_BYTES);
	size_t answered = 0, asked;

	(void)state;
	assert_int_equal(blob_seal(value, &err), 0);
	far_engines_join();
	say(fd, FRAME_PULL, &pull_of_all(request)->base);
	while ((asked = n_asked()) > answered) {
		while (answered < asked)
			answer_value(answered++, request, value);
		turn_a_while(base);
	}
	assert_true(answered < N);
	list_last(other, theirs);
	peers[n_peers++] = peer_unix(base, fd); /* it reads again */
	for (; answered < N; answered++) {
		turn_until(base, n_asked() > answered);
		answer_value(answered, request, value);
	}
	turn_until(base, count(peers[n_peers - 1], FRAME_RESULTS) == N);
	blob_unref(value);
}

static void say_apply(int fd, uint64_t request)
{
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__Call call = IPP__CALL__INIT;

	targets.ranks = (uint32_t[]){0};
	targets.n_ranks = 1;
	call.request = request;
	call.targets = &targets;
	say(fd, FRAME_CALL, &call.base);
}

/* The engine answers tasks of the client whose first request it is, in their order, from the
 * `*answered`-th on, which it counts. */
static void answer_applies(uint64_t first, size_t *answered, struct blob *value)
{
	Ipp__Result result = IPP__RESULT__INIT;

	for (size_t i = 0, nth = 0; i < engines[0]->n; i++) {
		Ipp__Tasks *tasks;

		if (engines[0]->frames[i].type != FRAME_TASKS)
			continue;
		tasks = peer_message(engines[0], i, &ipp__tasks__descriptor);
		if (tasks->request >> 32 == first >> 32 && nth++ == *answered) {
			assert_int_equal(tasks->request, first + *answered);
			answer_with(engines[0], tasks->request, &result, value);
			++*answered;
		}
		ipp__tasks__free_unpacked(tasks, NULL);
	}
}

static void a_client_that_takes_no_results_gets_no_task_of_a_direct_view_done(void **state)
{
	enum { APPLIES = 100, MORE = 10 };
	uint64_t theirs, request;
	struct peer *other = client_joins(&theirs);
	const int fd = client_joins_deaf(&request);
	struct blob *value = blob_new(VALUE_BYTES);
	size_t answered = 0, before, tasks;

	(void)state;
	assert_int_equal(blob_seal(value, &err), 0);
	engines[0] = engine_joins(0);
	for (uint64_t i = 0; i < APPLIES; i++)
		say_apply(fd, request + i);
	do {
		before = answered;
		answer_applies(request, &answered, value);
		turn_a_while(base);
	} while (answered > before);
	assert_true(answered < APPLIES);

	/* What others want goes past, be it a push, before which all is done that came before. */
	apply(other, theirs, (uint32_t[]){0}, 1);
	turn_until(base, count(engines[0], FRAME_TASKS) == answered + 1);
	answer_one(engines[0], theirs, 0, 10);
	push(other, theirs + 1, (uint32_t[]){0}, 1, "x", 1);
	turn_until(base, count(engines[0], FRAME_PUSH) == 1);
	answer_done(engines[0], theirs + 1);
	turn_until(base, count(other, FRAME_RESULTS) == 2);
	for (uint64_t i = 0; i < MORE; i++)
		say_apply(fd, request + APPLIES + i);
	assert_int_equal(count(engines[0], FRAME_TASKS), answered + 1);

	peers[n_peers++] = peer_unix(base, fd); /* it reads again */
	tasks = APPLIES + MORE;
	while (answered < tasks) {
		turn_until(base, count(engines[0], FRAME_TASKS) > answered + 1);
		answer_applies(request, &answered, NULL);
	}
	turn_until(base, count(peers[n_peers - 1], FRAME_RESULTS) == tasks);
	blob_unref(value);
}

static void a_client_that_took_no_results_and_leaves_takes_its_tasks_along(void **state)
{
	enum { APPLIES = 100 };
	uint64_t theirs, request;
	struct peer *other = client_joins(&theirs);
	const int fd = client_joins_deaf(&request);
	struct blob *value = blob_new(VALUE_BYTES);
	size_t answered = 0, before;

	(void)state;
	assert_int_equal(blob_seal(value, &err), 0);
	engines[0] = engine_joins(0);
	for (uint64_t i = 0; i < APPLIES; i++)
		say_apply(fd, request + i);
	do {
		before = answered;
		answer_applies(request, &answered, value);
		turn_a_while(base);
	} while (answered > before);
	assert_true(cluster.engines[0]->pinned.n_tasks > 0);
	close(fd);
	turn_until(base, cluster.engines[0]->pinned.n_tasks == 0);
	apply(other, theirs, (uint32_t[]){0}, 1);
	turn_until(base, count(engines[0], FRAME_TASKS) == answered + 1);
	blob_unref(value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_of_other_nodes_come_four_at_a_time),
		TEST(a_client_that_takes_no_values_does_not_fill_the_controller_with_them),
		TEST(a_client_that_takes_no_results_gets_no_task_of_a_direct_view_done),
		TEST(a_client_that_took_no_results_and_leaves_takes_its_tasks_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
