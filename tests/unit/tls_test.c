/* proto/link.h over TLS, proto/dial.h and proto/identity.h, on loopback. */
#include <errno.h>

#include "proto/dial.h"
#include "proto/unix_socket.h"
#include "tests/unit/tls_server.h"

/* How the dial ended. */
static struct peer client;
static bool dialled;

static int setup(void **state)
{
	(void)state;
	server_open();
	client = (struct peer){.link = NULL};
	dialled = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer_forget(&client);
	link_free(client.link);
	server_close();
	return 0;
}

static void done(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)owner;
	dialled = true;
	client.link = link;
	client.why = *why;
	if (link)
		link_own(link, &peer_events, &client);
}

static void dial(int timeout_ms)
{
	struct dial *dial = dial_start(base, &connection, timeout_ms, done, NULL);

	turn_until(base, dialled);
	dial_free(dial);
}

/* A socket at the listener, without TLS as yet. */
static int connected(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port_of(evconnlistener_get_fd(listener)))};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	evutil_make_socket_nonblocking(fd);
	tcp_tune(fd);
	return fd;
}

static void connect_both(void)
{
	dial(10000);
	assert_non_null(client.link);
	turn_until(base, server && server->secured);
}

static void assert_unreachable(int code, const char *why)
{
	assert_null(client.link);
	if (client.why.code != code)
		fail_msg("%d: %s", client.why.code, client.why.text);
	if (!strstr(client.why.text, why))
		fail_msg("'%s' lacks '%s'", client.why.text, why);
}

static void send_bytes(struct peer *from, struct peer *to, size_t n)
{
	struct blob *blob = blob_new(n);
	const size_t before = to->n;

	for (size_t i = 0; i < n; i++)
		blob->data[i] = (uint8_t)(i * 31 + i / 977);
	assert_int_equal(blob_seal(blob, &err), 0);
	link_send(from->link, FRAME_PUSH, NULL, blob);
	turn_until(base, to->n == before + 1);
	if (n == 0) {
		assert_null(to->frames[before].payload);
	} else {
		assert_int_equal(to->frames[before].payload->bytes, n);
		assert_memory_equal(to->frames[before].payload->data, blob->data, n);
	}
	blob_unref(blob);
}

static void payloads_of_every_size_arrive_whole_in_both_directions(void **state)
{
	static const size_t sizes[] = {0, 1, BLOB_MEMFD_MIN - 1, BLOB_MEMFD_MIN, 10 << 20, 3};

	(void)state;
	connect_both();
	for (size_t i = 0; i < 6; i++) {
		send_bytes(&client, server, sizes[i]);
		send_bytes(server, &client, sizes[i]);
	}
}

static void a_head_larger_than_any_buffer_arrives(void **state)
{
	uint8_t *head = malloc(FRAME_HEAD_MAX);

	(void)state;
	memset(head, 'x', FRAME_HEAD_MAX);
	connect_both();
	link_forward(client.link, FRAME_CALL, head, FRAME_HEAD_MAX, NULL);
	turn_until(base, server->n == 1);
	assert_memory_equal(server->frames[0].head, head, FRAME_HEAD_MAX);
	free(head);
}

static void frames_come_in_order_and_drain(void **state)
{
	Ipp__Done message = IPP__DONE__INIT;

	(void)state;
	connect_both();
	for (message.request = 1; message.request <= 2000; message.request++)
		link_send(client.link, FRAME_DONE, &message.base, NULL);
	turn_until(base, server->n == 2000 && client.drained > 0);
	assert_int_equal(link_backlog(client.link), 0);
	for (size_t i = 0; i < 2000; i++) {
		Ipp__Done *got = peer_message(server, i, &ipp__done__descriptor);

		assert_int_equal(got->request, i + 1);
		ipp__done__free_unpacked(got, NULL);
	}
}

/* They arrive with the end of the handshake, in what is read ahead behind it. */
static void frames_sent_before_the_handshake_arrive_behind_it(void **state)
{
	SSL_CTX *context = identity_tls_context(client_identity);

	(void)state;
	client.link = link_tls(base, connected(), SSL_new(context), false, &peer_events, &client);
	for (int i = 0; i < 3; i++)
		link_send(client.link, FRAME_STOP, NULL, NULL);
	turn_until(base, server && server->n == 3);
	assert_true(server->secured);
	SSL_CTX_free(context);
}

static void each_end_knows_the_others_fingerprint(void **state)
{
	const struct fingerprint expected = identity_fingerprint(client_identity);
	struct fingerprint got;

	(void)state;
	connect_both();
	assert_int_equal(tls_peer(link_ssl(server->link), &got), 0);
	assert_memory_equal(&got, &expected, sizeof(got));
}

static void a_controller_with_another_certificate_is_refused_by_name(void **state)
{
	(void)state;
	connection.fingerprint.sha256[31] ^= 1;
	dial(10000);
	assert_unreachable(EPERM, address);
	assert_unreachable(EPERM, "is not our controller: its certificate is another's");
}

static void an_address_that_refuses_is_skipped_at_once(void **state)
{
	char dead[32];
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0); /* no listen() */
	sprintf(dead, "127.0.0.1:%u", port_of(fd));
	addresses[0] = dead;
	addresses[1] = address;
	connection.n_addresses = 2;
	dial(10000);
	assert_non_null(client.link);
	close(fd);
}

/* A listener whose queue is full swallows what comes, like a firewall. */
static int swallow(struct sockaddr_in *name)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t bytes = sizeof(*name);

	*name = (struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)name, bytes), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)name, &bytes), 0);
	return fd;
}

static void a_silent_address_delays_the_next_by_no_more_than_the_stagger(void **state)
{
	struct sockaddr_in name;
	struct timespec before, after;
	const int fd = swallow(&name);
	char silent[32];

	(void)state;
	sprintf(silent, "127.0.0.1:%u", ntohs(name.sin_port));
	addresses[0] = silent;
	addresses[1] = address;
	connection.n_addresses = 2;
	clock_gettime(CLOCK_MONOTONIC, &before);
	dial(10000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_non_null(client.link);
	assert_true(after.tv_sec - before.tv_sec < 5); /* not until the deadline */
	close(fd);
}

static void a_controller_that_never_answers_is_given_up_by_host(void **state)
{
	struct sockaddr_in name;
	const int fd = swallow(&name);
	char silent[32];

	(void)state;
	sprintf(silent, "127.0.0.1:%u", ntohs(name.sin_port));
	addresses[0] = silent;
	dial(300);
	assert_unreachable(ETIMEDOUT, "the controller on n1 did not answer in time");
	close(fd);
}

static void nobody_anywhere_is_refused_with_the_address(void **state)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	sprintf(address, "127.0.0.1:%u", port_of(fd));
	dial(10000);
	strcat(address, ": Connection refused");
	assert_unreachable(ECONNREFUSED, address);
	close(fd);
}

static void text_that_is_no_address_is_named(void **state)
{
	(void)state;
	addresses[0] = (char *)"n1:x:y";
	dial(10000);
	assert_unreachable(EINVAL, "'n1:x:y' is not an address with a port");
}

static void without_a_certificate_of_ones_own_nobody_is_dialled(void **state)
{
	(void)state;
	free(connection.identity_pem);
	connection.identity_pem = NULL;
	dial(10000);
	assert_unreachable(EPERM, "none to show it");
}

static void without_addresses_the_socket_is_what_failed(void **state)
{
	(void)state;
	connection.n_addresses = 0;
	dial(10000);
	assert_unreachable(ECONNREFUSED, "@slurm-ipp/test/nobody");
}

static void on_its_own_node_a_controller_is_reached_by_its_socket(void **state)
{
	char name[CONNECTION_NAME_BYTES];
	int fd;

	(void)state;
	connection_name(name, "1");
	fd = unix_listen(name, &err);
	connection.unix_name = name;
	dial(10000);
	assert_non_null(client.link);
	assert_null(link_ssl(client.link));
	close(fd);
}

/* Connect with `context` and wait until the server closes or is secured. */
static void try_with(SSL_CTX *context)
{
	client.link = link_tls(base, connected(), SSL_new(context), false, &peer_events, &client);
	turn_until(base, server && (server->closed || server->secured));
	SSL_CTX_free(context);
}

static void a_client_without_a_certificate_is_refused(void **state)
{
	(void)state;
	try_with(SSL_CTX_new(TLS_method()));
	assert_true(server->closed);
	assert_false(server->secured);
}

static void tls_1_2_is_refused(void **state)
{
	SSL_CTX *context = identity_tls_context(client_identity);

	(void)state;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	try_with(context);
	assert_true(server->closed);
	assert_false(server->secured);
}

static void bytes_that_are_no_tls_end_the_link_only(void **state)
{
	const int fd = connected();

	(void)state;
	assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	turn_until(base, server && server->closed);
	assert_non_null(strstr(server->why.text, "TLS with the peer failed"));
	close(fd);
}

static void a_peer_that_dies_is_noticed(void **state)
{
	(void)state;
	connect_both();
	link_free(client.link);
	client.link = NULL;
	turn_until(base, server->closed);
	if (!strstr(server->why.text, "the peer closed the link"))
		fail_msg("%s", server->why.text);
}

/* The signal would end a program that uses libipp. */
static void to_write_where_nobody_reads_raises_no_sigpipe(void **state)
{
	(void)state;
	connect_both();
	shutdown(link_fd(client.link), SHUT_WR);
	link_send(client.link, FRAME_STOP, NULL, NULL);
	link_flush(client.link);
	turn_until(base, client.closed);
}

static void an_identity_survives_as_text(void **state)
{
	struct identity *again;
	const struct fingerprint before = identity_fingerprint(client_identity);
	struct fingerprint after;

	(void)state;
	assert_int_equal(identity_from_pem(&again, connection.identity_pem, &err), 0);
	after = identity_fingerprint(again);
	assert_memory_equal(&before, &after, sizeof(after));
	identity_free(again);
	assert_int_equal(identity_from_pem(&again, "-----BEGIN NONSENSE-----", &err), -EINVAL);
	assert_non_null(strstr(err.text, "not valid PEM"));
}

static void fingerprints_are_read_as_they_are_written_and_not_otherwise(void **state)
{
	const struct fingerprint before = identity_fingerprint(client_identity);
	char text[FINGERPRINT_TEXT_BYTES];
	struct fingerprint after;

	(void)state;
	fingerprint_text(&before, text);
	assert_int_equal(fingerprint_parse(&after, text), 0);
	assert_memory_equal(&before, &after, sizeof(after));
	text[5] = 'G';
	assert_int_equal(fingerprint_parse(&after, text), -EINVAL);
	text[5] = '\0';
	assert_int_equal(fingerprint_parse(&after, text), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(payloads_of_every_size_arrive_whole_in_both_directions),
		TEST(a_head_larger_than_any_buffer_arrives),
		TEST(frames_come_in_order_and_drain),
		TEST(frames_sent_before_the_handshake_arrive_behind_it),
		TEST(each_end_knows_the_others_fingerprint),
		TEST(a_controller_with_another_certificate_is_refused_by_name),
		TEST(an_address_that_refuses_is_skipped_at_once),
		TEST(a_silent_address_delays_the_next_by_no_more_than_the_stagger),
		TEST(a_controller_that_never_answers_is_given_up_by_host),
		TEST(nobody_anywhere_is_refused_with_the_address),
		TEST(text_that_is_no_address_is_named),
		TEST(without_a_certificate_of_ones_own_nobody_is_dialled),
		TEST(without_addresses_the_socket_is_what_failed),
		TEST(on_its_own_node_a_controller_is_reached_by_its_socket),
		TEST(a_client_without_a_certificate_is_refused),
		TEST(tls_1_2_is_refused),
		TEST(bytes_that_are_no_tls_end_the_link_only),
		TEST(a_peer_that_dies_is_noticed),
		TEST(to_write_where_nobody_reads_raises_no_sigpipe),
		TEST(an_identity_survives_as_text),
		TEST(fingerprints_are_read_as_they_are_written_and_not_otherwise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
