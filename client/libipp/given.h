/* client/libipp/given.h - whether a value that the program gave is one, before it is sent.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_LIBIPP_GIVEN_H
#define IPP_CLIENT_LIBIPP_GIVEN_H

#include "client/ipp/client.h"

/* Of a variable or an argument: what the other end would refuse, which would cost us the link.  0,
 * -EINVAL or -EMSGSIZE. */
int given_check(const char *name, const struct ipp_value *value, struct ipp_error *err);

#endif
