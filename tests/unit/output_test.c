/* client/output.h: a file takes its name once it is whole. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/output.h"
#include "proto/error.h"
#include "tests/unit/folder.h"

static char folder[] = "/tmp/output_test.XXXXXX";
static struct ipp_error err;
static int sync_fails_with;

/* In place of libc's: a file system that finds out late that it is full. */
int fsync(int fd)
{
	(void)fd;
	errno = sync_fails_with;
	return sync_fails_with ? -1 : 0;
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return folder_remove(folder);
}

/* Write `text` to the file "out"; what output_commit() returned. */
static int write_out(const char *text)
{
	struct output output;
	int rc;

	assert_int_equal(output_open(&output, "out", &err), 0);
	fputs(text, output.file);
	rc = output_commit(&output, &err);
	output_fini(&output);
	return rc;
}

static void a_disk_that_is_full_when_the_file_is_synced_leaves_what_was_there(void **state)
{
	char text[16] = "";
	FILE *file;

	(void)state;
	assert_int_equal(write_out("old"), 0);
	sync_fails_with = ENOSPC;
	assert_int_equal(write_out("new"), -ENOSPC);
	assert_string_equal(err.text, "out: cannot be written: No space left on device");
	file = fopen("out", "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "old");
	assert_int_equal(unlink("out"), 0);
	assert_int_equal(rmdir(folder), 0); /* nothing else is there */
	assert_int_equal(mkdir(folder, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_is_full_when_the_file_is_synced_leaves_what_was_there),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
