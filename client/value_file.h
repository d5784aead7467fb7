/* client/value_file.h - values into files: *.npy as np.save writes them, others as the bytes are.
 *
 * A file takes its name once it is complete (client/output.h).  Thread: any. */
#ifndef IPP_CLIENT_VALUE_FILE_H
#define IPP_CLIENT_VALUE_FILE_H

#include "client/ipp/client.h"
#include "client/output.h"

/* Whether `path` can be written; "-" is standard output, which gets what *.npy would, and is
 * refused where that is a terminal.  0 or a negative errno. */
int value_file_check(const char *path, struct ipp_error *err);

/* Begin a file of the array that `whole` describes, which has no data: in *.npy, the header. 0 or a
 * negative errno. */
int value_file_begin(struct output *output, const struct ipp_value *whole, struct ipp_error *err);

/* Add the bytes of an array to it. */
int value_file_add(struct output *output, const struct ipp_value *array, struct ipp_error *err);

/* Write a value whole to `path`: a number is an array of shape () in *.npy, and a line of text
 * elsewhere.  -EINVAL: a text for *.npy. */
int value_file_save(const char *path, const struct ipp_value *value, struct ipp_error *err);

#endif
