/* client/variable_output.h - what engines gave of their variables: printed, or saved to files.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_VARIABLE_OUTPUT_H
#define IPP_CLIENT_VARIABLE_OUTPUT_H

#include "client/ipp/client.h"

struct ipp_error;

/* Where values of `n` engines go. */
struct variable_output {
	const char
		*path; /* -o: of several engines, each to a file with its number; NULL: printed */
	size_t n;
};

/* Whether files can be written, before anything is moved.  0 or a negative errno. */
int variable_output_check(const struct variable_output *output, const uint32_t *ranks,
			  struct ipp_error *err);
int variable_output_value(const struct variable_output *output, uint32_t rank,
			  const struct ipp_value *value, struct ipp_error *err);

/* Lines of ls. */
void variable_output_list(uint32_t rank, const struct ipp_variable *variables, size_t n);

/* Arrays that are to be joined: part by part, or in memory where that will not do; as
 * ipp_gather_parts() and ipp_gather(). */
struct parts {
	int (*each)(const void *from, int (*begin)(void *owner, const struct ipp_value *whole),
		    int (*take)(void *owner, size_t place, const struct ipp_value *part),
		    void *owner, struct ipp_error *err);
	int (*whole)(const void *from, struct ipp_gathered *out, struct ipp_error *err);
	const void *from;
};

/* To `path`; NULL: say what the whole is like and, if it is small, what is in it. */
int variable_output_joined(const char *path, const struct parts *parts, struct ipp_error *err);

#endif
