/* proto/blob.h and proto/sealed.h: bytes that may be shared, and descriptors that may not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/blob.h"
#include "proto/error.h"
#include "proto/sealed.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static struct ipp_error err;

static int memfd(size_t bytes, int seals)
{
	const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void assert_not_mapped(int fd, size_t bytes, const char *why)
{
	struct blob *blob = NULL;

	assert_int_equal(blob_map(&blob, fd, bytes, &err), -EINVAL);
	assert_null(blob);
	assert_non_null(strstr(err.text, why));
	assert_int_equal(close(fd), 0); /* still ours */
}

static void a_large_blob_is_a_memfd_that_nobody_can_change(void **state)
{
	char *bytes = calloc(1, BLOB_MEMFD_MIN);
	struct blob *blob;

	(void)state;
	bytes[7] = 'x';
	blob = blob_copy(bytes, BLOB_MEMFD_MIN);
	assert_true(blob->fd >= 0);
	assert_int_equal(fcntl(blob->fd, F_GET_SEALS), SEALS);
	assert_memory_equal(blob->data, bytes, BLOB_MEMFD_MIN);
	assert_int_equal(write(blob->fd, "y", 1), -1);
	assert_int_equal(ftruncate(blob->fd, 1), -1);
	blob_unref(blob);
	free(bytes);
}

static void a_small_blob_lies_on_the_heap(void **state)
{
	struct blob *small = blob_copy("abc", 3);
	struct blob *empty = blob_copy(NULL, 0);

	(void)state;
	assert_int_equal(small->fd, -1);
	assert_memory_equal(small->data, "abc", 3);
	assert_int_equal(empty->bytes, 0);
	blob_unref(small);
	blob_unref(empty);
}

static void a_blob_lives_as_long_as_its_last_reference(void **state)
{
	struct blob *blob = blob_copy("abc", 3);

	(void)state;
	assert_ptr_equal(blob_ref(blob), blob);
	blob_unref(blob);
	assert_memory_equal(blob->data, "abc", 3);
	blob_unref(blob);
	blob_unref(NULL);
	assert_null(blob_ref(NULL));
}

static void a_sealed_memfd_of_a_peer_is_mapped(void **state)
{
	const int fd = sealed_new("test", "hello", 5, &err);
	struct blob *blob;

	(void)state;
	assert_int_equal(blob_map(&blob, fd, 5, &err), 0);
	assert_memory_equal(blob->data, "hello", 5);
	blob_unref(blob);
	assert_int_equal(close(fd), -1); /* it went with the blob */
}

static void bytes_of_a_memfd_stay_when_its_descriptor_is_closed(void **state)
{
	const int fd = sealed_new("test", "hello", 5, &err);
	struct blob *heap = blob_copy("abc", 3);
	struct blob *blob;

	(void)state;
	assert_int_equal(blob_map(&blob, fd, 5, &err), 0);
	blob_close_fd(blob);
	assert_int_equal(blob->fd, -1);
	assert_int_equal(close(fd), -1);
	assert_memory_equal(blob->data, "hello", 5);
	blob_close_fd(blob);
	blob_unref(blob);
	blob_close_fd(heap);
	assert_memory_equal(heap->data, "abc", 3);
	blob_unref(heap);
	blob_close_fd(NULL);
}

/* Descriptors from `fd` on are in the upper half until the former limit is set again. */
static struct rlimit halve_above(int fd)
{
	struct rlimit before, little;

	getrlimit(RLIMIT_NOFILE, &before);
	little = (struct rlimit){(rlim_t)fd * 2, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &little), 0);
	return before;
}

static void beyond_half_of_all_descriptors_a_blob_takes_none(void **state)
{
	char *bytes = calloc(1, BLOB_MEMFD_MIN);
	const int fd = sealed_new("test", "hello", 5, &err);
	const struct rlimit before = halve_above(fd);
	struct blob *made, *mapped;

	(void)state;
	bytes[7] = 'x';
	made = blob_copy(bytes, BLOB_MEMFD_MIN);
	assert_int_equal(blob_map(&mapped, fd, 5, &err), 0);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(made->fd, -1);
	assert_memory_equal(made->data, bytes, BLOB_MEMFD_MIN);
	assert_int_equal(mapped->fd, -1);
	assert_int_equal(close(fd), -1);
	assert_memory_equal(mapped->data, "hello", 5);
	blob_unref(made);
	blob_unref(mapped);
	free(bytes);
}

static void a_descriptor_without_every_seal_is_refused(void **state)
{
	(void)state;
	assert_not_mapped(memfd(4096, 0), 4096, "not a sealed memfd");
	assert_not_mapped(memfd(4096, F_SEAL_SHRINK | F_SEAL_GROW), 4096, "not a sealed memfd");
	assert_not_mapped(memfd(4096, F_SEAL_WRITE | F_SEAL_GROW), 4096, "not a sealed memfd");
	assert_not_mapped(open("/dev/zero", O_RDWR | O_CLOEXEC), 4096, "not a sealed memfd");
}

static void a_memfd_shorter_than_its_frame_says_is_refused(void **state)
{
	(void)state;
	assert_not_mapped(memfd(4095, SEALS), 4096, "shorter");
	assert_not_mapped(memfd(4096, SEALS), 0, "shorter");
}

static void a_sealed_text_can_be_read_and_not_written(void **state)
{
	const int fd = sealed_new("test", "hello", 5, &err);
	char text[6] = "";

	(void)state;
	assert_int_equal(pread(fd, text, 5, 0), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(pwrite(fd, "j", 1, 0), -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_blob_is_a_memfd_that_nobody_can_change),
		cmocka_unit_test(a_small_blob_lies_on_the_heap),
		cmocka_unit_test(a_blob_lives_as_long_as_its_last_reference),
		cmocka_unit_test(a_sealed_memfd_of_a_peer_is_mapped),
		cmocka_unit_test(bytes_of_a_memfd_stay_when_its_descriptor_is_closed),
		cmocka_unit_test(beyond_half_of_all_descriptors_a_blob_takes_none),
		cmocka_unit_test(a_descriptor_without_every_seal_is_refused),
		cmocka_unit_test(a_memfd_shorter_than_its_frame_says_is_refused),
		cmocka_unit_test(a_sealed_text_can_be_read_and_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
