/* proto/link.h over Unix sockets: frames come whole, in order and without copies, whatever the
 * peer does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/wire.h"

static struct event_base *base;
static struct peer *a, *b;

static int setup(void **state)
{
	(void)state;
	base = event_base_new();
	peer_pair(base, &a, &b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer_free(a);
	peer_free(b);
	event_base_free(base);
	return 0;
}

static struct blob *bytes_of(size_t n, uint8_t seed)
{
	uint8_t *bytes = malloc(n + 1);
	struct blob *blob;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
	blob = blob_copy(bytes, n);
	free(bytes);
	return blob;
}

static void say(struct peer *peer, const char *text, struct blob *payload)
{
	Ipp__Notice notice = IPP__NOTICE__INIT;

	notice.text = (char *)text;
	link_send(peer->link, FRAME_NOTICE, &notice.base, payload);
}

static void assert_said(const struct peer *peer, size_t i, const char *text)
{
	Ipp__Notice *notice = peer_message(peer, i, &ipp__notice__descriptor);

	assert_int_equal(peer->frames[i].type, FRAME_NOTICE);
	assert_string_equal(notice->text, text);
	ipp__notice__free_unpacked(notice, NULL);
}

static void assert_same_bytes(const struct blob *one, const struct blob *other)
{
	assert_non_null(one);
	assert_int_equal(one->bytes, other->bytes);
	assert_memory_equal(one->data, other->data, one->bytes);
}

/* A raw end in place of peer a's. */
static int raw_end(void)
{
	int ends[2];

	peer_free(a);
	peer_free(b);
	a = calloc(1, sizeof(*a));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	b = peer_unix(base, ends[1]);
	return ends[0];
}

static void send_descriptor(int socket, const void *bytes, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	struct iovec vector = {(void *)bytes, n};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};

	*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
						    .cmsg_level = SOL_SOCKET,
						    .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(int));
	assert_int_equal(sendmsg(socket, &message, 0), n);
}

static void many_frames_come_in_order(void **state)
{
	char text[32];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "frame %d", i);
		say(a, text, NULL);
	}
	turn_until(base, b->n == 3000);
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "frame %d", i);
		assert_said(b, (size_t)i, text);
	}
}

static void a_stream_split_byte_by_byte_gives_the_same_frames(void **state)
{
	static const struct frame_header header = {
		.type = FRAME_NOTICE, .head_bytes = 4, .payload_bytes = 5};
	uint8_t raw[FRAME_HEADER_BYTES + 9];
	const int fd = raw_end();

	(void)state;
	frame_encode(&header, raw);
	memcpy(raw + FRAME_HEADER_BYTES, "\x0a\x02hi12345", 9);
	for (int twice = 0; twice < 2; twice++)
		for (size_t i = 0; i < sizeof(raw); i++) {
			assert_int_equal(write(fd, raw + i, 1), 1);
			wire_turn(base, time(NULL) + PATIENCE_S);
		}
	turn_until(base, b->n == 2);
	assert_said(b, 1, "hi");
	assert_memory_equal(b->frames[1].payload->data, "12345", 5);
	close(fd);
}

static void a_large_payload_passes_as_the_same_memory(void **state)
{
	struct blob *large = bytes_of(1 << 20, 3);
	struct stat sent, got;

	(void)state;
	say(a, "large", large);
	turn_until(base, b->n == 1);
	assert_same_bytes(b->frames[0].payload, large);
	assert_int_equal(fstat(large->fd, &sent), 0);
	assert_int_equal(fstat(b->frames[0].payload->fd, &got), 0);
	assert_int_equal(sent.st_ino, got.st_ino);
	blob_unref(large);
}

static void descriptors_and_streams_mix_without_mistaking_one_for_another(void **state)
{
	static const size_t sizes[] = {0, 1, 70000, 5, BLOB_MEMFD_MIN, 200000, BLOB_MEMFD_MIN - 1};
	enum { N = 140 };
	struct blob *sent[N];
	char text[32];

	(void)state;
	for (int i = 0; i < N; i++) {
		sent[i] = bytes_of(sizes[i % 7], (uint8_t)i);
		snprintf(text, sizeof(text), "%d", i);
		say(a, text, sent[i]);
	}
	turn_until(base, b->n == N);
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_said(b, (size_t)i, text);
		if (sent[i]->bytes > 0)
			assert_same_bytes(b->frames[i].payload, sent[i]);
		else
			assert_null(b->frames[i].payload);
		blob_unref(sent[i]);
	}
}

static void a_peer_that_does_not_read_shows_as_backlog_and_then_as_drained(void **state)
{
	struct blob *payload = bytes_of(60000, 1);

	(void)state;
	for (int i = 0; i < 100; i++)
		say(a, "x", payload);
	assert_true(link_backlog(a->link) > 100 * 60000);
	link_flush(a->link);
	assert_true(link_backlog(a->link) > 5000000); /* a socket holds some 200 kB */
	assert_int_equal(a->drained, 0);
	turn_until(base, b->n == 100 && a->drained > 0);
	assert_int_equal(link_backlog(a->link), 0);
	blob_unref(payload);
}

static void what_can_wait_goes_with_the_next_frame_or_after_a_while(void **state)
{
	Ipp__Close closed = IPP__CLOSE__INIT;

	(void)state;
	link_send_later(a->link, FRAME_CLOSE, &closed.base);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(b->n, 0);
	assert_true(link_backlog(a->link) > 0);
	say(a, "hurry", NULL);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	turn_until(base, b->n == 2);
	assert_int_equal(b->frames[0].type, FRAME_CLOSE);
	assert_said(b, 1, "hurry");
	link_send_later(a->link, FRAME_CLOSE, &closed.base);
	turn_until(base, b->n == 3);
}

static void a_memfd_counts_in_full_as_backlog(void **state)
{
	struct blob *large = bytes_of(1 << 20, 3);

	(void)state;
	say(a, "large", large);
	assert_true(link_backlog(a->link) >= 1 << 20);
	link_flush(a->link);
	assert_int_equal(link_backlog(a->link), 0);
	blob_unref(large);
}

static void memfds_wait_while_a_peer_does_not_read_and_follow_when_it_does(void **state)
{
	const size_t bytes = (size_t)40 << 20; /* of which 64 MB may lie in a socket */
	struct peer *reader;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	peer_free(a);
	a = peer_unix(base, ends[0]);
	for (int i = 0; i < 4; i++) {
		struct blob *blob = blob_new(bytes);

		assert_int_equal(blob_seal(blob, NULL), 0);
		link_send(a->link, FRAME_RESULTS, NULL, blob);
		blob_unref(blob);
	}
	turn_a_while(base);
	assert_true(link_backlog(a->link) >= 3 * bytes);
	reader = peer_unix(base, ends[1]);
	turn_until(base, reader->n == 4);
	turn_until(base, link_backlog(a->link) == 0);
	assert_true(a->drained > 0);
	peer_free(reader);
}

/* A child that drains a link of more than its socket takes, in bytes and in memfds; our end of it
 * is not read yet. */
static pid_t drain_much(int *end)
{
	struct blob *small = bytes_of(60000, 1), *large = blob_new((size_t)40 << 20);
	int ends[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	assert_int_equal(blob_seal(large, NULL), 0);
	pid = fork();
	if (pid == 0) {
		struct peer *sender = peer_unix(event_base_new(), ends[0]);

		close(ends[1]);
		for (int i = 0; i < 24; i++)
			say(sender, "x", i % 8 ? small : large);
		link_drain(sender->link);
		_exit(link_backlog(sender->link) > 0);
	}
	close(ends[0]);
	blob_unref(small);
	blob_unref(large);
	turn_until(base, is_asleep(pid));
	*end = ends[1];
	return pid;
}

static void a_link_is_drained_once_a_peer_that_is_late_has_read_all_of_it(void **state)
{
	struct peer *reader;
	int end, status;
	const pid_t pid = drain_much(&end);

	(void)state;
	reader = peer_unix(base, end);
	turn_until(base, reader->closed);
	assert_int_equal(reader->n, 24);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	peer_free(reader);
}

static void a_link_whose_peer_goes_is_drained_at_once(void **state)
{
	int end, status;
	const pid_t pid = drain_much(&end);

	(void)state;
	close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_peer_that_dies_in_a_frame_is_gone_and_the_frame_with_it(void **state)
{
	static const struct frame_header header = {.type = FRAME_NOTICE, .head_bytes = 4};
	uint8_t raw[FRAME_HEADER_BYTES];
	const int fd = raw_end();

	(void)state;
	frame_encode(&header, raw);
	assert_int_equal(write(fd, raw, sizeof(raw)), sizeof(raw));
	close(fd);
	turn_until(base, b->closed);
	assert_int_equal(b->n, 0);
	assert_int_equal(b->why.code, 0);
	assert_non_null(strstr(b->why.text, "the peer closed the link"));
}

static void what_a_peer_said_before_it_went_is_heard_though_writing_failed(void **state)
{
	(void)state;
	say(a, "farewell", NULL);
	link_flush(a->link);
	link_free(a->link);
	a->link = NULL;
	say(b, "are you there?", NULL);
	link_flush(b->link);
	turn_until(base, b->closed);
	assert_int_equal(b->n, 1);
	assert_said(b, 0, "farewell");
}

static void a_link_may_be_freed_by_whoever_hears_a_frame(void **state)
{
	(void)state;
	b->free_at_frame = true;
	say(a, "one", NULL);
	say(a, "two", NULL);
	turn_until(base, a->closed);
	assert_int_equal(b->n, 1);
}

static void a_finished_link_still_sends_what_was_queued(void **state)
{
	struct blob *payload = bytes_of(60000, 1);

	(void)state;
	for (int i = 0; i < 50; i++)
		say(a, "x", payload);
	link_finish(a->link);
	a->link = NULL;
	turn_until(base, b->closed);
	assert_int_equal(b->n, 50);
	blob_unref(payload);
}

static void an_untrusted_peer_is_cut_off_at_a_large_head_or_any_payload(void **state)
{
	static const struct frame_header refused[] = {
		{.type = FRAME_HELLO, .head_bytes = LINK_UNPROVEN_MAX + 1},
		{.type = FRAME_HELLO, .payload_bytes = 1},
	};
	uint8_t raw[FRAME_HEADER_BYTES];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int ends[2];
		struct peer *peer = calloc(1, sizeof(*peer));

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
		peer->link = link_unix(base, ends[1], &peer_events, peer);
		frame_encode(&refused[i], raw);
		assert_int_equal(write(ends[0], raw, sizeof(raw)), sizeof(raw));
		turn_until(base, peer->closed);
		assert_non_null(strstr(peer->why.text, "before it had proved itself"));
		peer_free(peer);
		close(ends[0]);
	}
}

static void a_descriptor_that_can_change_is_refused_and_closed(void **state)
{
	static const struct frame_header header = {
		.type = FRAME_NOTICE, .flags = FRAME_DESCRIPTOR, .payload_bytes = 4096};
	const int fd = raw_end();
	const int memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const size_t before = open_descriptors();
	uint8_t raw[FRAME_HEADER_BYTES];

	(void)state;
	assert_int_equal(ftruncate(memfd, 4096), 0);
	frame_encode(&header, raw);
	send_descriptor(fd, raw, sizeof(raw), memfd);
	turn_until(base, b->closed);
	assert_non_null(strstr(b->why.text, "not a sealed memfd"));
	assert_int_equal(open_descriptors(), before - 1); /* the link's own */
	close(memfd);
	close(fd);
}

static void a_frame_that_promises_a_descriptor_and_brings_none_is_refused(void **state)
{
	static const struct frame_header header = {
		.type = FRAME_NOTICE, .flags = FRAME_DESCRIPTOR, .payload_bytes = 4096};
	const int fd = raw_end();
	uint8_t raw[FRAME_HEADER_BYTES];

	(void)state;
	frame_encode(&header, raw);
	assert_int_equal(write(fd, raw, sizeof(raw)), sizeof(raw));
	turn_until(base, b->closed);
	assert_non_null(strstr(b->why.text, "NOTICE frame came without its descriptor"));
	close(fd);
}

static void a_process_that_has_no_room_for_a_descriptor_says_so(void **state)
{
	const int fd = raw_end();
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_max = before.rlim_max};
	send_descriptor(fd, "I", 1, null);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn_until(base, b->closed);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(b->why.text, "Too many open files"));
	close(null);
	close(fd);
}

static void descriptors_that_belong_to_no_frame_do_not_pile_up(void **state)
{
	const int fd = raw_end();
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const size_t before = open_descriptors();

	(void)state;
	for (int i = 0; i < 20; i++)
		send_descriptor(fd, "I", 1, null);
	turn_until(base, b->closed);
	assert_int_equal(open_descriptors(), before - 1);
	close(null);
	close(fd);
}

/* In a process that is not root's, whose the kernel does not count. */
static int pass_some_with_many_on_their_way(void)
{
	static const struct rlimit few = {30, 30};
	struct event_base *own = event_base_new();
	struct blob *sent = bytes_of(100000, 3);
	struct peer *sender, *reader;
	int stopped[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stopped) < 0 ||
	    (geteuid() == 0 && setuid(61234) < 0))
		return 1;
	for (int i = 0; i < 40; i++)
		send_descriptor(stopped[0], "I", 1, sent->fd);
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		return 2;
	peer_pair(own, &sender, &reader);
	for (int i = 0; i < 20; i++)
		say(sender, i % 2 ? "odd" : "even", i % 3 ? sent : NULL);
	turn_until(own, reader->n == 20 || reader->closed);
	for (size_t i = 0; i < 20; i++) {
		const struct blob *got = reader->frames[i].payload;

		assert_said(reader, i, i % 2 ? "odd" : "even");
		if (i % 3)
			assert_same_bytes(got, sent);
		else
			assert_null(got);
	}
	return 0;
}

static void
payloads_pass_while_another_peer_is_stopped_with_all_descriptors_on_their_way(void **state)
{
	pid_t child;
	int status;

	(void)state;
	child = fork();
	if (child == 0)
		_exit(pass_some_with_many_on_their_way());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_head_past_its_bound_ends_the_link_that_sends_it(void **state)
{
	uint8_t *head = calloc(1, FRAME_HEAD_MAX + 1);

	(void)state;
	link_forward(a->link, FRAME_CALL, head, FRAME_HEAD_MAX + 1, NULL);
	turn_until(base, a->closed);
	assert_int_equal(a->why.code, EMSGSIZE);
	free(head);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_frames_come_in_order),
		TEST(a_stream_split_byte_by_byte_gives_the_same_frames),
		TEST(a_large_payload_passes_as_the_same_memory),
		TEST(descriptors_and_streams_mix_without_mistaking_one_for_another),
		TEST(a_peer_that_does_not_read_shows_as_backlog_and_then_as_drained),
		TEST(what_can_wait_goes_with_the_next_frame_or_after_a_while),
		TEST(a_memfd_counts_in_full_as_backlog),
		TEST(memfds_wait_while_a_peer_does_not_read_and_follow_when_it_does),
		TEST(a_link_is_drained_once_a_peer_that_is_late_has_read_all_of_it),
		TEST(a_link_whose_peer_goes_is_drained_at_once),
		TEST(a_peer_that_dies_in_a_frame_is_gone_and_the_frame_with_it),
		TEST(what_a_peer_said_before_it_went_is_heard_though_writing_failed),
		TEST(a_link_may_be_freed_by_whoever_hears_a_frame),
		TEST(a_finished_link_still_sends_what_was_queued),
		TEST(an_untrusted_peer_is_cut_off_at_a_large_head_or_any_payload),
		TEST(a_descriptor_that_can_change_is_refused_and_closed),
		TEST(a_frame_that_promises_a_descriptor_and_brings_none_is_refused),
		TEST(a_process_that_has_no_room_for_a_descriptor_says_so),
		TEST(descriptors_that_belong_to_no_frame_do_not_pile_up),
		TEST(payloads_pass_while_another_peer_is_stopped_with_all_descriptors_on_their_way),
		TEST(a_head_past_its_bound_ends_the_link_that_sends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
