/* client/argument.h - the words NAME=VALUE that push and functions take.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_ARGUMENT_H
#define IPP_CLIENT_ARGUMENT_H

#include <stdbool.h>

#include "client/ipp/client.h"

struct ipp_error;

/* Read a word that has a "=", which becomes a NUL (*out borrows it): "12" is an integer, "1.5e3",
 * "inf" and "nan" are reals, @FILE is the array in that file, and all else, as "0x10", is a text;
 * with `text` everything is.  0, or -ERANGE: a number that no integer, or no real, can be. */
int argument_read(struct ipp_argument *out, char *word, bool text, struct ipp_error *err);

#endif
