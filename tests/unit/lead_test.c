/* engine/engine.h: an engine, ipp-engine itself, that fetches a payload while a neighbour waits for
 * it to hand it on. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "proto/unix_socket.h"
#include "tests/unit/tls_server.h"

#define SERIAL 7

static pid_t engine;
static struct peer *neighbour;

/* From now on `server` is its controller's end. */
static int setup(void **state)
{
	const int fd = memfd_create("connection", 0);
	char path[4096], fd_text[16];
	const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/ipp-engine"));
	char *text;

	(void)state;
	server_open();
	text = connection_text(&connection);
	if (n < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	free(text);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/../ipp-engine");
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	engine = fork();
	if (engine == 0) {
		execl(path, path, "--guarded", "--rank", "0", "--connection-fd", fd_text, NULL);
		_exit(1);
	}
	close(fd);
	turn_until(base, server && server->n > 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kill(engine, SIGKILL);
	waitpid(engine, NULL, 0);
	peer_free(neighbour);
	server_close();
	return 0;
}

static size_t count(const struct peer *peer, uint16_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < peer->n; i++)
		n += peer->frames[i].type == type;
	return n;
}

static void ask(struct link *link)
{
	Ipp__Share share = IPP__SHARE__INIT;

	share.serial = SERIAL;
	link_send(link, FRAME_SHARE, &share.base, NULL);
}

static void a_neighbour_is_told_when_what_it_waits_for_will_not_come(void **state)
{
	Ipp__Hello *hello = peer_message(server, 0, &ipp__hello__descriptor);
	Ipp__Welcome welcome = IPP__WELCOME__INIT;
	Ipp__Push push = IPP__PUSH__INIT;

	(void)state;
	assert_int_equal(server->frames[0].type, FRAME_HELLO);
	link_send(server->link, FRAME_WELCOME, &welcome.base, NULL);
	push.request = 1;
	push.serial = SERIAL;
	push.lead = (char *)"slurm-ipp/test/nobody";
	link_send(server->link, FRAME_PUSH, &push.base, NULL);
	turn_until(base, count(server, FRAME_SHARE) == 1); /* that one did not answer */
	neighbour = peer_unix(base, unix_connect(hello->share, &err));
	ask(neighbour->link);
	turn_until(base, count(neighbour, FRAME_SHARE) == 1); /* it is still to come */
	ask(server->link);				      /* it has been set anew */
	turn_until(base, count(neighbour, FRAME_REFUSE) == 1);
	assert_int_equal(count(server, FRAME_DONE), 1);
	ipp__hello__free_unpacked(hello, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_neighbour_is_told_when_what_it_waits_for_will_not_come, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
