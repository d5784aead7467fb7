/* client/output.h - a file that takes its name once it is complete.
 *
 * Until then it has none, or, where the file system has no such files, lies beside that name; after
 * a failure, or if we are killed, what was there is still there, and nothing else is.  A symbolic
 * link stays and its target is replaced, with the mode it had.  A device or a pipe is written to as
 * it stands, and so is what our descriptors already lead to: /dev/stdout, /dev/fd/N, and the file
 * that stdout or stderr was redirected to.  "-" is standard output. Thread: any. */
#ifndef IPP_CLIENT_OUTPUT_H
#define IPP_CLIENT_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct ipp_error;

struct output {
	FILE *file;	  /* to write to; do not close */
	const char *path; /* as given (borrowed), for messages */
	char *name;	  /* the same, symbolic links followed */
	bool nameless;	  /* it gets one by output_commit() */
	char *temporary;  /* beside it; NULL: there is none */
};

/* Returns 0 or -errno, *output being filled or left alone.  output_fini() drops what was not
 * committed. */
int output_open(struct output *output, const char *path, struct ipp_error *err);
int output_commit(struct output *output, struct ipp_error *err);
void output_fini(struct output *output);

/* Whether output_open() would do: to be asked before the work, not after it.  Leaves nothing
 * behind and does not open what is no file. */
int output_check(const char *path, struct ipp_error *err);

/* Whether all that was written to `file` has left; `name` is what messages call it. */
int output_flush(FILE *file, const char *name, struct ipp_error *err);

#endif
