/* proto/connection.h: connection files, which may come from anybody until they are looked at. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/connection.h"
#include "proto/error.h"

#define HEX32 "00112233445566778899aabbccddeeff"
#define GOOD                                                                                       \
	"{\"version\":1,\"job\":\"7\",\"host\":\"n1\",\"unix\":\"slurm-ipp/7/x\","                 \
	"\"addresses\":[\"10.0.0.1:7\"],\"fingerprint\":\"" HEX32 HEX32 "\"}"

static struct connection got;
static struct ipp_error err;
static char folder[64], path[128];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/connection_test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/.slurm-ipp/7.json", folder);
	return 0;
}

static int teardown(void **state)
{
	char at[128];

	(void)state;
	connection_fini(&got);
	unlink(path);
	snprintf(at, sizeof(at), "%s/.slurm-ipp", folder);
	rmdir(at);
	return rmdir(folder);
}

static int parse(const char *text)
{
	connection_fini(&got);
	return connection_parse(&got, text, strlen(text), "some.json", &err);
}

/* GOOD with its first `from` replaced. */
static void assert_refused_with(const char *from, const char *to)
{
	char text[512];
	const char *at = strstr(GOOD, from);

	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
	assert_int_equal(parse(text), -EINVAL);
	assert_non_null(strstr(err.text, "some.json is not a connection file of version 1"));
	assert_null(got.job);
}

static void save(void)
{
	assert_int_equal(parse(GOOD), 0);
	assert_int_equal(connection_save(&got, path, &err), 0);
	connection_fini(&got);
}

static void assert_not_believed(void)
{
	assert_int_equal(connection_from_file(&got, path, &err), -EPERM);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "mode 0600"));
}

static void what_was_written_is_read(void **state)
{
	char *addresses[] = {(char *)"10.0.0.1:7711", (char *)"[fd00::1]:7711"};
	const struct connection written = {.job = (char *)"123",
					   .host = (char *)"n1",
					   .unix_name = (char *)"slurm-ipp/123/\"q\"",
					   .addresses = addresses,
					   .n_addresses = 2,
					   .fingerprint = {{1, 2, 255}},
					   .identity_pem = (char *)"line\nline\n"};
	char *text = connection_text(&written);

	(void)state;
	assert_int_equal(parse(text), 0);
	assert_string_equal(got.job, "123");
	assert_string_equal(got.host, "n1");
	assert_string_equal(got.unix_name, "slurm-ipp/123/\"q\"");
	assert_int_equal(got.n_addresses, 2);
	assert_string_equal(got.addresses[1], "[fd00::1]:7711");
	assert_memory_equal(&got.fingerprint, &written.fingerprint, sizeof(got.fingerprint));
	assert_string_equal(got.identity_pem, "line\nline\n");
	free(text);
}

static void without_an_identity_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(parse(GOOD), 0);
	assert_null(got.identity_pem);
}

static void text_that_is_not_json_is_named_with_its_line(void **state)
{
	(void)state;
	assert_int_equal(parse("{\n\"version\": 1,\n"), -EINVAL);
	assert_non_null(strstr(err.text, "some.json is not a connection file: line 3"));
	assert_int_equal(parse(""), -EINVAL);
}

static void text_that_is_not_json_is_not_shown(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"identity\": \"secret\nkey\"}"), -EINVAL);
	assert_null(strstr(err.text, "secret"));
	assert_null(strchr(err.text, '\n'));
}

static void a_member_that_is_missing_or_wrong_is_refused(void **state)
{
	(void)state;
	assert_refused_with("\"job\"", "\"jobs\"");
	assert_refused_with("\"7\"", "7");
	assert_refused_with("\"version\":1", "\"version\":2");
	assert_refused_with("[\"10.0.0.1:7\"]", "[7]");
	assert_refused_with("[\"10.0.0.1:7\"]", "\"10.0.0.1:7\"");
	assert_refused_with(HEX32 HEX32, HEX32);
	assert_refused_with(HEX32 HEX32, "xx" HEX32 HEX32);
	assert_refused_with("slurm-ipp/7/x", HEX32 HEX32 HEX32 HEX32);
	assert_refused_with(GOOD, "[]");
}

static void a_file_is_private_and_so_is_its_folder(void **state)
{
	char at[128];
	struct stat st;

	(void)state;
	umask(0);
	save();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(at, sizeof(at), "%s/.slurm-ipp", folder);
	assert_int_equal(stat(at, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(connection_from_file(&got, path, &err), 0);
	assert_string_equal(got.job, "7");
}

static void a_file_that_others_may_read_is_not_believed(void **state)
{
	(void)state;
	save();
	assert_int_equal(chmod(path, 0640), 0);
	assert_not_believed();
	assert_int_equal(chmod(path, 0602), 0);
	assert_not_believed();
}

static void a_file_of_another_user_is_not_believed(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	save();
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_not_believed();
}

static void nothing_is_written_where_others_can_write(void **state)
{
	char at[128];

	(void)state;
	save();
	snprintf(at, sizeof(at), "%s/.slurm-ipp", folder);
	assert_int_equal(chmod(at, 0770), 0);
	assert_int_equal(parse(GOOD), 0);
	assert_int_equal(connection_save(&got, path, &err), -EPERM);
	assert_non_null(strstr(err.text, "in which nobody else can write"));
	assert_int_equal(chmod(at, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(at, 65534, 65534), 0);
		assert_int_equal(connection_save(&got, path, &err), -EPERM);
		assert_int_equal(chown(at, 0, 0), 0);
	}
}

static void a_symbolic_link_is_not_followed(void **state)
{
	char elsewhere[256];

	(void)state;
	save();
	snprintf(elsewhere, sizeof(elsewhere), "%s.elsewhere", path);
	assert_int_equal(rename(path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, path), 0);
	assert_int_equal(connection_from_file(&got, path, &err), -ELOOP);
	assert_non_null(strstr(err.text, path));
	unlink(elsewhere);
}

static void a_pipe_in_its_place_does_not_hang(void **state)
{
	(void)state;
	save();
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_believed();
}

static void a_file_that_is_not_there_is_named(void **state)
{
	(void)state;
	assert_int_equal(connection_from_file(&got, path, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
}

static void a_file_too_large_is_not_read(void **state)
{
	(void)state;
	save();
	assert_int_equal(truncate(path, CONNECTION_TEXT_MAX + 1), 0);
	assert_int_equal(connection_from_file(&got, path, &err), -E2BIG);
}

static void a_place_that_cannot_be_written_is_named_and_left_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(parse(GOOD), 0);
	assert_int_equal(connection_save(&got, "/proc/none/7.json", &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot make the folder /proc/none: No such file"));
}

static void the_path_is_of_this_home_job_and_for_local_ones_host(void **state)
{
	char host[256] = "", expected[512];
	char *where;

	(void)state;
	setenv("HOME", "/home/alice", 1);
	where = connection_path("12");
	assert_string_equal(where, "/home/alice/.slurm-ipp/12.json");
	free(where);
	gethostname(host, sizeof(host) - 1);
	snprintf(expected, sizeof(expected), "/home/alice/.slurm-ipp/local-%s.json", host);
	where = connection_path("local");
	assert_string_equal(where, expected);
	free(where);
	unsetenv("HOME");
	assert_null(connection_path("12"));
}

static void every_socket_name_is_new_and_says_its_job(void **state)
{
	char one[CONNECTION_NAME_BYTES], other[CONNECTION_NAME_BYTES];

	(void)state;
	connection_name(one, "12");
	connection_name(other, "12");
	assert_string_not_equal(one, other);
	assert_int_equal(strncmp(one, "slurm-ipp/12/", 13), 0);
	assert_int_equal(strspn(one + 13, "0123456789abcdef"), 32);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(without_an_identity_there_is_none),
		TEST(text_that_is_not_json_is_named_with_its_line),
		TEST(text_that_is_not_json_is_not_shown),
		TEST(a_member_that_is_missing_or_wrong_is_refused),
		TEST(a_file_is_private_and_so_is_its_folder),
		TEST(a_file_that_others_may_read_is_not_believed),
		TEST(a_file_of_another_user_is_not_believed),
		TEST(nothing_is_written_where_others_can_write),
		TEST(a_symbolic_link_is_not_followed),
		TEST(a_pipe_in_its_place_does_not_hang),
		TEST(a_file_that_is_not_there_is_named),
		TEST(a_file_too_large_is_not_read),
		TEST(a_place_that_cannot_be_written_is_named_and_left_as_it_was),
		TEST(the_path_is_of_this_home_job_and_for_local_ones_host),
		TEST(every_socket_name_is_new_and_says_its_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
