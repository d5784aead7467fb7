/* client/results_folder.c - outputs of a map in folders, laid out as by GNU parallel's --results:
 * FOLDER/1/ITEM/stdout, and with several lists FOLDER/1/VALUE/2/VALUE/stdout.
 *
 * In names / is \_, \ is \\, tab \t, newline \n, NUL \0; an empty one is \, and . and .. get a \ in
 * front.  One that is longer than a name may be is cut, and it or one that came before in this map
 * gets \ and the task's number behind, which no escape begins with. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/sink.h"
#include "client/verb.h"
#include "proto/error.h"

struct results_folder {
	struct sink sink;
	const char *path;
	int fd;
	struct timespec begun; /* by the file system's clock */
};

/* ---- names ---- */

/* `value` as a file's name of up to `max` bytes; false when it was cut. */
static bool escape(char *name, size_t max, const char *value, size_t bytes)
{
	static const char special[] = "/\\\t\n";
	static const char escapes[] = "_\\tn0";
	size_t n = 0;

	if (bytes == 0 || (value[0] == '.' && (bytes == 1 || (bytes == 2 && value[1] == '.'))))
		name[n++] = '\\';
	for (size_t i = 0; i < bytes; i++) {
		const char *at = memchr(special, value[i], sizeof(special)); /* with its NUL */

		if (n + 2 > max) {
			name[n] = '\0';
			return false;
		}
		if (at)
			name[n++] = '\\';
		name[n++] = at ? escapes[at - special] : value[i];
	}
	name[n] = '\0';
	return true;
}

static void add_number(char *name, uint64_t number)
{
	char text[24];
	const int n = snprintf(text, sizeof(text), "\\%llu", (unsigned long long)number);
	size_t length = strlen(name);

	if (length > NAME_MAX - (size_t)n) {
		length = NAME_MAX - (size_t)n;
		/* Not in the middle of an escape. */
		if (length > 0 && name[length - 1] == '\\' &&
		    !(length > 1 && name[length - 2] == '\\'))
			length--;
	}
	memcpy(name + length, text, (size_t)n + 1);
}

/* ---- folders ---- */

/* Open the folder `name` in `parent`, made where it is not there.
 *   nofollow  O_NOFOLLOW: inside of ours a symbolic link is not of our making; else 0 */
static int enter(int parent, const char *name, int nofollow)
{
	if (mkdirat(parent, name, 0777) < 0 && errno != EEXIST)
		return -1;
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);
}

/* Whether an earlier task of this map has been here. */
static bool is_ours(const struct results_folder *folder, int fd)
{
	struct stat status;

	return fstatat(fd, "seq", &status, 0) == 0 &&
	       (status.st_mtim.tv_sec > folder->begun.tv_sec ||
		(status.st_mtim.tv_sec == folder->begun.tv_sec &&
		 status.st_mtim.tv_nsec >= folder->begun.tv_nsec));
}

/* One below the other. */
static int enter_all(const struct results_folder *folder, const char *const *names, size_t n)
{
	int fd = fcntl(folder->fd, F_DUPFD_CLOEXEC, 0);

	for (size_t i = 0; fd >= 0 && i < n; i++) {
		const int next = enter(fd, names[i], O_NOFOLLOW);
		const int failed = errno;

		close(fd);
		errno = failed;
		fd = next;
	}
	return fd;
}

struct name {
	char number[24];
	char value[NAME_MAX + 1];
};

/* The task's own folder. */
static int task_folder(const struct results_folder *folder, struct name *names, size_t n_values,
		       uint64_t number)
{
	const char **path = calloc(2 * n_values, sizeof(*path));
	int fd;

	if (!path)
		return -1;
	for (size_t i = 0; i < n_values; i++) {
		path[2 * i] = names[i].number;
		path[2 * i + 1] = names[i].value;
	}
	fd = enter_all(folder, path, 2 * n_values);
	if (fd >= 0 && is_ours(folder, fd)) {
		close(fd);
		add_number(names[n_values - 1].value, number);
		fd = enter_all(folder, path, 2 * n_values);
	}
	free(path);
	return fd;
}

static void name_values(struct name *names, const struct ended *ended, const char *text,
			size_t bytes)
{
	const char *const end = text + bytes;

	for (size_t i = 0; i < ended->n_values; i++) {
		const char *nul = i + 1 < ended->n_values ? memchr(text, '\0', (size_t)(end - text))
							  : NULL;
		const size_t length = (size_t)((nul ? nul : end) - text);

		snprintf(names[i].number, sizeof(names[i].number), "%zu", i + 1);
		if (!escape(names[i].value, NAME_MAX, text, length))
			add_number(names[i].value, ended->result->index + 1);
		text += nul ? length + 1 : length;
	}
}

static int open_folder(const struct results_folder *folder, const struct ended *ended)
{
	struct name *names = calloc(ended->n_values, sizeof(*names));
	const char *text = ended->item.text;
	size_t bytes = ended->item.bytes;
	char number[24];
	int fd;

	if (!names)
		return -1;
	if (ended->item.kind == IPP_INTEGER) {
		text = number;
		bytes = (size_t)snprintf(number, sizeof(number), "%lld",
					 (long long)ended->item.integer);
	}
	name_values(names, ended, text, bytes);
	fd = task_folder(folder, names, ended->n_values, ended->result->index + 1);
	free(names);
	return fd;
}

/* ---- files ---- */

static FILE *create(int folder, const char *name)
{
	const int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			      0666);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

static int finish(FILE *file)
{
	const bool failed = fflush(file) < 0 || ferror(file);
	const int why = errno;

	if (fclose(file) < 0)
		return -1;
	errno = why;
	return failed ? -1 : 0;
}

static int write_files(int fd, const struct ipp_result *result)
{
	FILE *out = create(fd, "stdout");
	FILE *errors, *seq;

	if (!out)
		return -1;
	fwrite(result->out, 1, result->out_bytes, out);
	verb_print_value(out, &result->value);
	if (finish(out) < 0)
		return -1;
	errors = create(fd, "stderr");
	if (!errors)
		return -1;
	fwrite(result->err, 1, result->err_bytes, errors);
	if (finish(errors) < 0)
		return -1;
	seq = create(fd, "seq");
	if (!seq)
		return -1;
	fprintf(seq, "%llu", (unsigned long long)result->index + 1);
	return finish(seq);
}

static int results_add(struct sink *sink, const struct ended *ended, struct ipp_error *err)
{
	struct results_folder *folder = (struct results_folder *)sink;
	const int fd = open_folder(folder, ended);
	int rc = 0;

	if (fd < 0 || write_files(fd, ended->result) < 0)
		rc = ipp_fail(err, errno,
			      "ipp-run: --results %.300s: what item %llu wrote cannot be stored: "
			      "%m",
			      folder->path, (unsigned long long)ended->result->index);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int results_close(struct sink *sink, struct ipp_error *err)
{
	struct results_folder *folder = (struct results_folder *)sink;

	(void)err;
	close(folder->fd);
	free(folder);
	return 0;
}

/* Open it, touched, so that the file system says what time it is there. */
static int begin(struct results_folder *folder, struct ipp_error *err)
{
	struct stat status;

	folder->fd = enter(AT_FDCWD, folder->path, 0);
	if (folder->fd < 0 || futimens(folder->fd, NULL) < 0 || fstat(folder->fd, &status) < 0)
		return ipp_fail(err, errno, "ipp-run: --results %s: cannot be written: %m",
				folder->path);
	folder->begun = status.st_mtim;
	return 0;
}

int results_open(struct sink **out, const char *path, struct ipp_error *err)
{
	struct results_folder *folder = calloc(1, sizeof(*folder));
	int rc;

	if (!folder)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory");
	*folder = (struct results_folder){.sink = {.add = results_add, .close = results_close},
					  .path = path};
	rc = begin(folder, err);
	if (rc < 0) {
		if (folder->fd >= 0)
			close(folder->fd);
		free(folder);
		return rc;
	}
	*out = &folder->sink;
	return 0;
}
