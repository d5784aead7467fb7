/* client/journal/damage.h - the bytes of a journal that cannot be read, kept in a file beside it.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_JOURNAL_DAMAGE_H
#define IPP_CLIENT_JOURNAL_DAMAGE_H

#include <limits.h>
#include <sys/types.h>

#include "proto/error.h"

#define DAMAGE_PATH_BYTES PATH_MAX

/* Copy what a journal has from `at` to its end to PATH.damaged, or to the first of PATH.damaged.2,
 * .3 ... that is not there yet, whose name is put in `kept`.  0: it is on disk; or -errno with the
 * reason. */
int damage_keep(int fd, off_t at, off_t end, const char *path, char kept[DAMAGE_PATH_BYTES],
		struct ipp_error *err);

#endif
