/* client/argument.h - the words NAME=VALUE that push and functions take.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_ARGUMENT_H
#define IPP_CLIENT_ARGUMENT_H

#include <stdbool.h>

#include "client/ipp/client.h"

/* Read a word that has a "=", which becomes a NUL (*out borrows it): "12" is an integer, "1.5e3"
 * and "nan" are reals, @FILE is the array in that file, and all else is a text; with `text`
 * everything is. */
void argument_read(struct ipp_argument *out, char *word, bool text);

#endif
