/* launcher/: what ranks tell each other, addresses, ports, the command's path, the environment. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "launcher/address.h"
#include "launcher/card.h"
#include "launcher/command.h"
#include "launcher/environment.h"
#include "launcher/listener.h"
#include "launcher/slurm.h"
#include "launcher/start.h"
#include "proto/error.h"

static struct ipp_error err;

/* ---- cards --------------------------------------------------------------------------------- */

static void a_card_survives_its_text(void **state)
{
	const struct card card = {
		.host = (char *)"n1",
		.fingerprint = "ab",
		.unix_name = (char *)"slurm-ipp/1/2",
		.addresses = {"10.0.0.1:7711", "[fd00::1]:7711"},
		.n_addresses = 2,
		.error = (char *)"cannot \"run\" \\ it",
		.exit_code = 127,
	};
	char *text = card_text(&card);
	struct card back;

	(void)state;
	assert_int_equal(card_parse(&back, text, 0, &err), 0);
	assert_string_equal(back.host, "n1");
	assert_string_equal(back.fingerprint, "ab");
	assert_string_equal(back.unix_name, card.unix_name);
	assert_int_equal(back.n_addresses, 2);
	assert_string_equal(back.addresses[1], card.addresses[1]);
	assert_string_equal(back.error, card.error);
	assert_int_equal(back.exit_code, 127);
	card_fini(&back);
	free(text);
}

static void a_sentence_that_is_not_utf8_is_handed_out_all_the_same(void **state)
{
	const struct card card = {.host = (char *)"n1",
				  .fingerprint = "ab",
				  .error = (char *)"cannot run caf\xe9: No such file\xc3",
				  .exit_code = 127};
	char *text = card_text(&card);
	struct card back;

	(void)state;
	assert_int_equal(card_parse(&back, text, 0, &err), 0);
	assert_string_equal(back.error, "cannot run caf\xef\xbf\xbd: No such file\xef\xbf\xbd");
	assert_int_equal(back.exit_code, 127);
	card_fini(&back);
	free(text);
}

static void a_card_that_is_none_names_its_rank(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"host\":\"n1\"}",
		"{\"host\":1,\"fingerprint\":\"ab\"}",
		"{\"host\":\"n1\",\"fingerprint\":\"ab\",\"addresses\":[1]}",
		("{\"host\":\"n1\",\"fingerprint\":\"0123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789\"}"),
	};
	struct card card;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(card_parse(&card, texts[i], 17, &err), -EINVAL);
		assert_non_null(strstr(err.text, "rank 17"));
	}
}

/* ---- addresses and ports ------------------------------------------------------------------- */

static void addresses_are_written_as_a_dialler_reads_them(void **state)
{
	char text[ADDRESS_TEXT_BYTES];
	struct sockaddr_storage address;

	(void)state;
	assert_int_equal(address_resolve(&address, "10.1.2.3"), 0);
	address_text(text, &address, 80);
	assert_string_equal(text, "10.1.2.3:80");
	assert_int_equal(address_resolve(&address, "fd00::1"), 0);
	address_text(text, &address, 65535);
	assert_string_equal(text, "[fd00::1]:65535");
}

static void loopback_and_link_local_are_no_address(void **state)
{
	static const char *const texts[] = {"127.0.0.1", "127.0.1.1", "169.254.3.4", "0.0.0.0",
					    "::1",	 "fe80::1",   "::"};
	struct sockaddr_storage address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(address_resolve(&address, texts[i]), -ENOENT);
}

static void the_address_that_slurm_uses_comes_first(void **state)
{
	struct sockaddr_storage best;
	struct addresses found;

	(void)state;
	assert_int_equal(address_resolve(&best, "198.51.100.7"), 0); /* surely not ours */
	assert_int_equal(addresses_find(&found, NULL, &best, &err), 0);
	assert_memory_equal(&found.at[0], &best, sizeof(best));
}

static void an_unknown_interface_is_named(void **state)
{
	struct addresses found;

	(void)state;
	assert_int_equal(addresses_find(&found, "nosuch7", NULL, &err), -ENODEV);
	assert_non_null(strstr(err.text, "nosuch7"));
}

static void a_port_comes_from_the_range_until_it_is_used_up(void **state)
{
	const struct sockaddr_storage any = {.ss_family = AF_INET};
	uint16_t port, second;
	const int any_fd = listener_tcp(&any, (struct port_range){0, 0}, &port, &err);
	const struct port_range taken = {port, port};

	(void)state;
	assert_true(any_fd >= 0);
	assert_int_not_equal(port, 0);
	assert_int_equal(listener_tcp(&any, taken, &second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "ports="));
	close(any_fd);
	assert_true(listener_tcp(&any, taken, &second, &err) >= 0);
	assert_int_equal(second, port);
}

/* ---- the command --------------------------------------------------------------------------- */

static void a_command_is_found_by_path_as_in_a_shell(void **state)
{
	char path[PATH_MAX];

	(void)state;
	setenv("PATH", "/nosuch:/bin:/usr/bin", 1);
	assert_int_equal(command_find(path, "sh", &err), 0);
	assert_string_equal(path, "/bin/sh");
	assert_int_equal(command_find(path, "/bin/sh", &err), 0);
	unsetenv("PATH");
	assert_int_equal(command_find(path, "sh", &err), 0);
	setenv("PATH", "/bin:/usr/bin", 1);
}

static void what_cannot_be_run_has_the_exit_code_of_a_shell(void **state)
{
	char path[PATH_MAX];
	int rc;

	(void)state;
	rc = command_find(path, "no-such-command", &err);
	assert_int_equal(command_exit_code(rc), 127);
	assert_non_null(strstr(err.text, "no-such-command"));
	assert_int_equal(command_exit_code(command_find(path, "/nosuch/x", &err)), 127);
	assert_int_equal(command_exit_code(command_find(path, "/etc/passwd", &err)), 126);
	assert_int_equal(command_exit_code(command_find(path, "/etc", &err)), 126);
}

/* ---- the environment ----------------------------------------------------------------------- */

static void what_is_pmix_and_ours_does_not_reach_tasks(void **state)
{
	char **before;

	(void)state;
	setenv("PMIX_RANK", "1", 1);
	setenv("SLURM_PMIX_MAPPING_SERV", "x", 1);
	setenv("SLURM_SPANK__X", "x", 1);
	setenv("IPP_CONNECT", "unix:@x", 1);
	setenv("IPP_CONNECTED", "stays", 1);
	setenv("SLURM_PROCID", "3", 1);
	before = environment_copy();
	environment_scrub(environment_not_for_tasks);
	assert_null(getenv("PMIX_RANK"));
	assert_null(getenv("SLURM_PMIX_MAPPING_SERV"));
	assert_null(getenv("SLURM_SPANK__X"));
	assert_null(getenv("IPP_CONNECT"));
	assert_string_equal(getenv("IPP_CONNECTED"), "stays");
	assert_string_equal(getenv("SLURM_PROCID"), "3");
	environ = before;
	assert_string_equal(getenv("PMIX_RANK"), "1");
}

/* ---- Slurm's lists, the controller's verdict ------------------------------------------------ */

static void the_first_host_of_a_list_needs_no_slurm_conf(void **state)
{
	char *first = slurm_first_host("n[3-12,20]");

	(void)state;
	assert_string_equal(first, "n3");
	free(first);
}

static int verdict(const char *text)
{
	int ready[2], rc;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(write(ready[1], text, strlen(text)), strlen(text));
	close(ready[1]);
	rc = controller_wait(ready[0], 5000, &err);
	close(ready[0]);
	return rc;
}

static void a_controllers_verdict_is_passed_on(void **state)
{
	(void)state;
	assert_int_equal(verdict("ready\n"), 0);
	assert_int_equal(verdict("error: 1 of 2 engines\n"), -ETIMEDOUT);
	assert_string_equal(err.text, "1 of 2 engines");
	assert_int_equal(verdict(""), -EPIPE);
	assert_int_equal(verdict("read"), -EPIPE);
}

static void a_silent_controller_is_not_waited_for_for_ever(void **state)
{
	int ready[2];

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(controller_wait(ready[0], 50, &err), -ETIMEDOUT);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_survives_its_text),
		cmocka_unit_test(a_sentence_that_is_not_utf8_is_handed_out_all_the_same),
		cmocka_unit_test(a_card_that_is_none_names_its_rank),
		cmocka_unit_test(addresses_are_written_as_a_dialler_reads_them),
		cmocka_unit_test(loopback_and_link_local_are_no_address),
		cmocka_unit_test(the_address_that_slurm_uses_comes_first),
		cmocka_unit_test(an_unknown_interface_is_named),
		cmocka_unit_test(a_port_comes_from_the_range_until_it_is_used_up),
		cmocka_unit_test(a_command_is_found_by_path_as_in_a_shell),
		cmocka_unit_test(what_cannot_be_run_has_the_exit_code_of_a_shell),
		cmocka_unit_test(what_is_pmix_and_ours_does_not_reach_tasks),
		cmocka_unit_test(the_first_host_of_a_list_needs_no_slurm_conf),
		cmocka_unit_test(a_controllers_verdict_is_passed_on),
		cmocka_unit_test(a_silent_controller_is_not_waited_for_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
