/* client/model.h - a forest in a file: what forest_write() gives, followed by its SHA-256. */
#ifndef IPP_CLIENT_MODEL_H
#define IPP_CLIENT_MODEL_H

#include <stddef.h>
#include <stdint.h>

struct forest;
struct ipp_error;

/* Whole or not at all; -errno. */
int model_save(const struct forest *forest, const char *path, struct ipp_error *err);

/* The forest's bytes (gives; free()), checked against their sum.  Files alone are read, never a
 * pipe, which would be waited for.  -errno of open and read, -EINVAL when it is no model, or cut or
 * damaged. */
int model_load(const char *path, uint8_t **out, size_t *n_out, struct ipp_error *err);

#endif
