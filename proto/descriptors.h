/* proto/descriptors.h - how far each use of a process' descriptors may go, so that none takes the
 * last of them: a payload that comes when there is none left is lost, and its sender with it.
 *
 * The kernel gives the lowest number that is free, so that of a new one says how many there are.
 * Thread: any. */
#ifndef IPP_PROTO_DESCRIPTORS_H
#define IPP_PROTO_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

#define DESCRIPTORS_RESERVE 8 /* for what is open for a moment, and what comes in */

enum descriptors_use {
	DESCRIPTORS_PAYLOADS, /* half of all; what is beyond needs none */
	DESCRIPTORS_FILES,    /* three quarters */
	DESCRIPTORS_PEERS,    /* all but the reserve */
};

/* Whether the use may have one with the number of `fd`, which was just opened. */
bool descriptors_allow(enum descriptors_use use, int fd);

/* How many the process may have (`ulimit -n`). */
size_t descriptors_max(void);

#endif
