/* proto/variable.h - what a variable may be called, and whether a value is whole.
 *
 * A name has 1 to VARIABLE_NAME_MAX of the characters A-Z a-z 0-9 _ . - and does not begin with a
 * digit, a dot or a dash, so that it can stand in a shell's word, before "=" and in a file's name.
 * Thread: any. */
#ifndef IPP_PROTO_VARIABLE_H
#define IPP_PROTO_VARIABLE_H

#include "proto/blob.h"
#include "proto/ipp.pb-c.h"

struct ipp_error;

#define VARIABLE_NAME_MAX 255
#define VARIABLE_TEXT_MAX (1 << 20) /* bytes; it goes in a frame's head, which is bounded */

/* 0 or -EINVAL; the name is shown without what would upset a terminal. */
int variable_check_name(const char *name, struct ipp_error *err);

/* A named value that came from a peer, whose array, if it is one, begins the payload (may be NULL):
 * there is a value, the name is one, a text is not too long, an array is of a plain dtype and all
 * of it is there.  0 or a negative errno. */
int variable_check(const Ipp__Value *value, const struct blob *payload, struct ipp_error *err);

#endif
