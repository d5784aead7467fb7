/* proto/array_file.h - an array in a file: that of an .npy file, or the bytes of any other.
 *
 * It is mapped, not read.  Thread: any. */
#ifndef IPP_PROTO_ARRAY_FILE_H
#define IPP_PROTO_ARRAY_FILE_H

#include "engine/ipp/module.h"
#include "proto/npy.h"

struct ipp_error;

struct array_file {
	const char *path; /* borrowed */
	int fd;
	void *map; /* the whole file; NULL when it is empty */
	size_t map_bytes;
	struct npy npy; /* data_offset is the array's place in the file */
	struct ipp_value value;
};

/* Named *.npy: its array; else all bytes, of dtype |u1.  0 or a negative errno; array_file_close()
 * after 0.  It must not move in memory: the value points into it. */
int array_file_open(struct array_file *file, const char *path, struct ipp_error *err);
void array_file_close(struct array_file *file);

#endif
