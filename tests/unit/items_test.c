/* proto/items.h: runs of a map's items, and the slices of them that queues are made of. */
#include <errno.h>
#include <sys/stat.h>

#include "proto/items.h"
#include "tests/unit/wire.h"

static struct slices slices;
static struct ipp_error err;

static int setup(void **state)
{
	(void)state;
	slices_init(&slices);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	slices_clear(&slices);
	return 0;
}

static void append(uint64_t request, uint64_t from, uint64_t to)
{
	slices_append(&slices, slice_new(request, NULL, from, to));
}

static void assert_first(uint64_t request, uint64_t from, uint64_t to)
{
	assert_non_null(slices.first);
	assert_int_equal(slices.first->request, request);
	assert_int_equal(slices.first->from, from);
	assert_int_equal(slices.first->to, to);
}

static void a_queue_is_first_in_first_out(void **state)
{
	(void)state;
	append(1, 0, 5);
	append(1, 5, 6);
	append(2, 0, 3);
	assert_int_equal(slices.n_tasks, 9);
	assert_first(1, 0, 5);
	slice_free(slices_pop(&slices));
	assert_first(1, 5, 6);
	slice_free(slices_pop(&slices));
	slice_free(slices_pop(&slices));
	assert_null(slices_pop(&slices));
	append(3, 0, 1); /* the tail is right again */
	assert_first(3, 0, 1);
	assert_int_equal(slices.n_tasks, 1);
}

static void what_is_put_back_comes_first(void **state)
{
	(void)state;
	slices_prepend(&slices, slice_new(1, NULL, 4, 6));
	append(1, 6, 8);
	slices_prepend(&slices, slice_new(1, NULL, 2, 4));
	for (uint64_t from = 2; from < 8; from += 2) {
		assert_first(1, from, from + 2);
		slice_free(slices_pop(&slices));
	}
}

static void taking_part_of_a_slice_leaves_the_rest(void **state)
{
	struct slice *taken;

	(void)state;
	append(1, 0, 10);
	slices.first->losses = 2;
	taken = slices_take(&slices, 3);
	assert_int_equal(taken->from, 0);
	assert_int_equal(taken->to, 3);
	assert_int_equal(taken->losses, 2); /* of its first task, which went along */
	slice_free(taken);
	assert_first(1, 3, 10);
	assert_int_equal(slices.first->losses, 0);
	assert_int_equal(slices.n_tasks, 7);
	taken = slices_take(&slices, 100);
	assert_int_equal(taken->to - taken->from, 7);
	slice_free(taken);
	assert_null(slices_take(&slices, 1));
}

static void the_last_of_a_request_are_moved_in_their_order(void **state)
{
	struct slices to;

	(void)state;
	slices_init(&to);
	slices_append(&to, slice_new(1, NULL, 20, 30));
	append(1, 0, 4);
	append(2, 0, 1);
	append(1, 4, 6);
	append(1, 9, 10);
	assert_int_equal(slices_move_last(&slices, 1, 8, &to), -ERANGE);
	assert_int_equal(slices_move_last(&slices, 1, 5, &to), 0);
	assert_int_equal(slices.n_tasks, 3);
	assert_first(1, 0, 2);
	assert_int_equal(slices.first->next->request, 2);
	append(3, 0, 1); /* the end was moved, too */
	assert_int_equal(slices.first->next->next->request, 3);
	assert_int_equal(slices_move_last(&slices, 3, 1, &to), 0);
	assert_int_equal(to.n_tasks, 16);
	for (size_t i = 0; i < 5; i++) {
		static const uint64_t from[] = {0, 2, 4, 9, 20}, end[] = {1, 4, 6, 10, 30};
		struct slice *slice = slices_pop(&to);

		assert_int_equal(slice->request, i == 0 ? 3 : 1);
		assert_int_equal(slice->from, from[i]);
		assert_int_equal(slice->to, end[i]);
		slice_free(slice);
	}
	assert_null(to.first);
}

static void finished_tasks_leave_one_by_one(void **state)
{
	(void)state;
	append(1, 7, 9);
	append(2, 0, 1);
	slices_finish_first(&slices);
	assert_first(1, 8, 9);
	slices_finish_first(&slices);
	assert_first(2, 0, 1);
	slices_finish_first(&slices);
	assert_null(slices.first);
	assert_int_equal(slices.n_tasks, 0);
}

static void a_request_is_dropped_from_the_midst_of_others(void **state)
{
	(void)state;
	append(1, 0, 5);
	append(2, 0, 3);
	append(1, 5, 7);
	assert_int_equal(slices_drop(&slices, 1), 7);
	assert_int_equal(slices_drop(&slices, 1), 0);
	append(3, 0, 1);
	assert_int_equal(slices.n_tasks, 4);
	assert_first(2, 0, 3);
	assert_int_equal(slices_drop(&slices, 2), 3);
	assert_int_equal(slices_drop(&slices, 3), 1);
	append(4, 0, 1);
	assert_first(4, 0, 1);
}

static bool in_turn(uint64_t request, size_t n, const uint64_t *indices)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result each[8], *pointers[8];

	for (size_t i = 0; i < n; i++) {
		ipp__result__init(&each[i]);
		each[i].index = indices[i];
		pointers[i] = &each[i];
	}
	results.request = request;
	results.n_results = n;
	results.results = pointers;
	return slices_in_turn(&slices, &results);
}

static void results_are_in_turn_when_they_are_of_the_first_tasks(void **state)
{
	(void)state;
	append(1, 3, 5);
	append(1, 9, 10);
	append(2, 0, 1);
	assert_true(in_turn(1, 0, NULL));
	assert_true(in_turn(1, 1, (uint64_t[]){3}));
	assert_true(in_turn(1, 3, (uint64_t[]){3, 4, 9}));
	assert_false(in_turn(1, 1, (uint64_t[]){4}));
	assert_false(in_turn(1, 2, (uint64_t[]){3, 5}));
	assert_false(in_turn(1, 4, (uint64_t[]){3, 4, 9, 0})); /* the last is of request 2 */
	assert_false(in_turn(2, 1, (uint64_t[]){0}));
	slices_clear(&slices);
	assert_false(in_turn(1, 1, (uint64_t[]){0}));
}

/* ---- items and their frames ---- */

static void tasks_init(Ipp__Tasks *tasks, uint64_t first, uint64_t *item_bytes, size_t n)
{
	ipp__tasks__init(tasks);
	tasks->request = 1;
	tasks->first = first;
	tasks->count = tasks->n_item_bytes = n;
	tasks->item_bytes = item_bytes;
}

static void assert_disagree(const Ipp__Tasks *tasks, struct blob *payload)
{
	struct items *items = NULL;

	assert_int_equal(items_new(&items, tasks, payload, &err), -EPROTO);
	assert_null(items);
	assert_non_null(strstr(err.text, "TASKS"));
}

static void a_head_that_disagrees_with_its_payload_is_refused(void **state)
{
	struct blob *payload = blob_copy("abcd", 4);
	uint64_t sizes[] = {2, 3};
	uint64_t huge[] = {2, UINT64_MAX};
	Ipp__Tasks tasks;

	(void)state;
	tasks_init(&tasks, 0, sizes, 2);
	assert_disagree(&tasks, payload);
	assert_disagree(&tasks, NULL);
	tasks_init(&tasks, 0, huge, 2);
	assert_disagree(&tasks, payload);
	tasks_init(&tasks, 0, sizes, 1);
	tasks.count = 2;
	assert_disagree(&tasks, payload);
	tasks_init(&tasks, 0, NULL, 0);
	assert_disagree(&tasks, payload);
	tasks_init(&tasks, UINT64_MAX, sizes, 1);
	assert_disagree(&tasks, payload);
	tasks_init(&tasks, 0, sizes, 1);
	tasks.range = true;
	assert_disagree(&tasks, payload);
	blob_unref(payload);
}

/* What arrives when part of the items is sent. */
static Ipp__Tasks *sent(const Ipp__Tasks *tasks, struct blob *payload, uint64_t from, uint64_t to,
			struct blob **out)
{
	struct event_base *base = event_base_new();
	struct items *items = NULL;
	struct peer *a, *b;
	struct slice *slice;
	Ipp__Tasks *got;

	peer_pair(base, &a, &b);
	assert_int_equal(items_new(&items, tasks, payload, &err), 0);
	slice = slice_new(1, items, from, to);
	items_unref(items);
	assert_int_equal(slice_send(slice, a->link), 0);
	slice_free(slice);
	turn_until(base, b->n == 1);
	assert_int_equal(b->frames[0].type, FRAME_TASKS);
	got = peer_message(b, 0, &ipp__tasks__descriptor);
	if (out)
		*out = blob_ref(b->frames[0].payload);
	peer_free(a);
	peer_free(b);
	event_base_free(base);
	return got;
}

static void a_slice_of_texts_carries_its_own_texts_alone(void **state)
{
	struct blob *payload = blob_copy("onetwothree", 11), *got_payload;
	uint64_t sizes[] = {3, 3, 0, 5};
	Ipp__Tasks tasks, *got;

	(void)state;
	tasks_init(&tasks, 100, sizes, 4);
	got = sent(&tasks, payload, 101, 104, &got_payload);
	assert_int_equal(got->first, 101);
	assert_int_equal(got->count, 3);
	assert_int_equal(got->n_item_bytes, 3);
	assert_int_equal(got->item_bytes[0], 3);
	assert_int_equal(got->item_bytes[1], 0);
	assert_int_equal(got->item_bytes[2], 5);
	assert_int_equal(got_payload->bytes, 8);
	assert_memory_equal(got_payload->data, "twothree", 8);
	blob_unref(got_payload);
	blob_unref(payload);
	ipp__tasks__free_unpacked(got, NULL);
}

static void texts_that_wait_beyond_8_mb_lie_in_a_file_and_come_back(void **state)
{
	enum { BYTES = 1 << 20, FRAMES = 12 };
	struct items_room room = {.fd = -1};
	struct event_base *base = event_base_new();
	struct slice *waiting[FRAMES];
	char *text = malloc(BYTES);
	uint64_t sizes[] = {1, BYTES - 1};
	struct peer *a, *b;
	Ipp__Tasks tasks;

	(void)state;
	assert_non_null(text);
	peer_pair(base, &a, &b);
	for (size_t i = 0; i < FRAMES; i++) {
		struct items *items = NULL;
		struct blob *payload;

		memset(text, 'a' + (int)i, BYTES);
		payload = blob_copy(text, BYTES);
		tasks_init(&tasks, 2 * i, sizes, 2);
		assert_int_equal(items_new(&items, &tasks, payload, &err), 0);
		items_wait(items, &room);
		waiting[i] = slice_new(1, items, 2 * i, 2 * i + 2);
		items_unref(items);
		blob_unref(payload);
	}
	assert_true(room.memory_bytes <= 8 << 20);
	assert_int_equal(room.n_in_file, FRAMES - 7);
	for (size_t i = 0; i < FRAMES; i++) {
		assert_int_equal(slice_send(waiting[i], a->link), 0);
		slice_free(waiting[i]);
		turn_until(base, b->n == i + 1);
		memset(text, 'a' + (int)i, BYTES);
		assert_int_equal(b->frames[i].payload->bytes, BYTES);
		assert_memory_equal(b->frames[i].payload->data, text, BYTES);
	}
	assert_int_equal(room.memory_bytes, 0);
	assert_int_equal(room.n_in_file, 0);
	assert_int_equal(lseek(room.fd, 0, SEEK_END), 0);
	close(room.fd);
	free(text);
	peer_free(a);
	peer_free(b);
	event_base_free(base);
}

static void a_slice_of_a_range_begins_where_it_should(void **state)
{
	Ipp__Tasks tasks, *got;

	(void)state;
	tasks_init(&tasks, 10, NULL, 0);
	tasks.range = true;
	tasks.count = 100;
	tasks.start = 50;
	tasks.step = -2;
	got = sent(&tasks, NULL, 15, 18, NULL);
	assert_true(got->range);
	assert_int_equal(got->count, 3);
	assert_int_equal(got->start, 40);
	assert_int_equal(got->step, -2);
	ipp__tasks__free_unpacked(got, NULL);
}

static void steps_may_be_as_large_as_numbers_are(void **state)
{
	Ipp__Tasks tasks, *got;

	(void)state;
	tasks_init(&tasks, 0, NULL, 0);
	tasks.range = true;
	tasks.count = 4;
	tasks.start = INT64_MIN;
	tasks.step = INT64_C(1) << 62;
	got = sent(&tasks, NULL, 3, 4, NULL);
	assert_int_equal(got->start, INT64_C(1) << 62);
	ipp__tasks__free_unpacked(got, NULL);
}

static void a_large_item_travels_without_a_copy(void **state)
{
	struct blob *payload = blob_new(1 << 20), *got;
	uint64_t size = 1 << 20;
	Ipp__Tasks tasks;
	ino_t before[2];
	struct stat st;

	(void)state;
	memset(payload->data, 'x', payload->bytes);
	assert_int_equal(blob_seal(payload, &err), 0);
	tasks_init(&tasks, 0, &size, 1);
	ipp__tasks__free_unpacked(sent(&tasks, payload, 0, 1, &got), NULL);
	assert_int_equal(fstat(payload->fd, &st), 0);
	before[0] = st.st_ino;
	assert_int_equal(fstat(got->fd, &st), 0);
	before[1] = st.st_ino;
	assert_int_equal(before[0], before[1]);
	blob_unref(got);
	blob_unref(payload);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_queue_is_first_in_first_out),
		TEST(what_is_put_back_comes_first),
		TEST(taking_part_of_a_slice_leaves_the_rest),
		TEST(the_last_of_a_request_are_moved_in_their_order),
		TEST(finished_tasks_leave_one_by_one),
		TEST(a_request_is_dropped_from_the_midst_of_others),
		TEST(results_are_in_turn_when_they_are_of_the_first_tasks),
		TEST(a_head_that_disagrees_with_its_payload_is_refused),
		TEST(a_slice_of_texts_carries_its_own_texts_alone),
		TEST(texts_that_wait_beyond_8_mb_lie_in_a_file_and_come_back),
		TEST(a_slice_of_a_range_begins_where_it_should),
		TEST(steps_may_be_as_large_as_numbers_are),
		TEST(a_large_item_travels_without_a_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
