/* client/libipp/module_file.h - a module of the user's, as it is sent to engines that may not see
 * its path.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_MODULE_FILE_H
#define IPP_CLIENT_LIBIPP_MODULE_FILE_H

#include <sys/stat.h>

#include "proto/blob.h"

struct module_file {
	char *function; /* "/absolute/path/MODULE.so:NAME" */
	struct blob *bytes;
	struct stat st; /* of the file they were read from */
};

/* The module of "PATH/MODULE.so:NAME"; in *out NULL for one without a slash, which lies beside the
 * engines' programs.  *cache keeps the last one, so that a file is read again only when it changed
 * (*out is valid until the next call).  0, -errno of open and read, -ENOEXEC when it is no shared
 * object. */
int module_file_get(struct module_file **cache, const char *function,
		    const struct module_file **out, struct ipp_error *err);
void module_file_free(struct module_file *file); /* NULL is fine */

#endif
