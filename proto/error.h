/* proto/error.h - an error: a negative errno for code, one sentence for people.
 *
 * The sentence says who (engine 12), what (cannot reach the controller), why (Connection refused)
 * and how to mend it.  It is written where the failure happens and printed once, where it is
 * decided what follows.  Thread: any. */
#ifndef IPP_PROTO_ERROR_H
#define IPP_PROTO_ERROR_H

#include <errno.h>

#include <ipp/error.h>

/* int ipp_fail(struct ipp_error *err, int code, const char *fmt, ...)
 * Fill *err (borrows; may be NULL) and return -code.  `code` is a positive errno value; %m in `fmt`
 * prints it, and a control character becomes a ?.  A macro, so that compilers and analyzers see in
 * the caller that it is never 0. */
#define ipp_fail(...) ipp_failure(ipp_describe(__VA_ARGS__))

/* Names of files and words that somebody typed may be in a sentence: a terminal is not to obey
 * them.  Each control character becomes a ?. */
void ipp_one_line(char *text);

int ipp_describe(struct ipp_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline int ipp_failure(int rc)
{
	return rc < 0 ? rc : -EIO; /* a call that failed without setting errno still failed */
}

#endif
