/* client/sink.h - where a map's results go besides standard output: a log, a folder, a bar.
 *
 * A sink is a struct that begins with a struct sink.  Thread: any. */
#ifndef IPP_CLIENT_SINK_H
#define IPP_CLIENT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ipp/client.h"

struct ipp_error;

/* One task's end, with what its result does not say. */
struct ended {
	const struct ipp_result *result;
	struct ipp_value item; /* an integer or a text; IPP_NONE in a direct view */
	size_t n_values;       /* in the text, a NUL between them */
	const struct ipp_run *run;
	bool earlier; /* in an earlier run */
};

struct sink {
	/* Something else is about to write to the terminal; may be NULL. */
	void (*make_way)(struct sink *sink);

	/* Time has passed, and nothing came; may be NULL. */
	void (*tick)(struct sink *sink);

	/* 0 or -errno with the reason. */
	int (*add)(struct sink *sink, const struct ended *ended, struct ipp_error *err);

	/* A moment to write what was gathered; may be NULL.  Likewise. */
	int (*flush)(struct sink *sink, struct ipp_error *err);

	/* No more comes: finish, and free it.  Likewise. */
	int (*close)(struct sink *sink, struct ipp_error *err);
};

/* Each gives *out.  0 or -errno with the reason. */

/* A line a task in the columns of GNU parallel's --joblog. */
int joblog_open(struct sink **out, const char *path, struct ipp_error *err);

/* Folders as GNU parallel's --results has them: PATH/1/ITEM/ with stdout, stderr and seq. */
int results_open(struct sink **out, const char *path, struct ipp_error *err);

/* A JSON object a line and task, on standard output. */
int json_open(struct sink **out, struct ipp_error *err);

/* A bar on stderr, from the first second on, which vanishes at the end.
 *   total   tasks there will be; 0: not known
 *   forced  from the beginning, and it stays */
int progress_open(struct sink **out, uint64_t total, bool forced, struct ipp_error *err);

/* The shell command that a task stands for, in one line (gives; free()); NULL when out of memory.
 *   engine  what {%} stands for */
char *command_line(const struct ipp_run *run, const struct ipp_value *item, size_t n_values,
		   uint64_t index, uint32_t engine);

#endif
