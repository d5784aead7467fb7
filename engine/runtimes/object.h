/* engine/runtimes/object.h - a shared object, loaded from its file or from the bytes that came with
 * a call.
 *
 * Thread: the worker's only one. */
#ifndef IPP_ENGINE_RUNTIMES_OBJECT_H
#define IPP_ENGINE_RUNTIMES_OBJECT_H

#include "proto/blob.h"

struct object {
	void *handle;
	int fd; /* of the bytes it was loaded from; -1: from its file */
};

/* Load it.
 *   path     of the file, on the client's node; loaded where this node has the same under that name
 *   payload  begins with `bytes` of the object; NULL or 0 bytes: there is the path alone
 * 0; -ENOENT when there is no such file; -ENOEXEC with what the dynamic linker says. */
int object_load(struct object *object, const char *path, const struct blob *payload, size_t bytes,
		struct ipp_error *err);
void object_unload(struct object *object);

#endif
