/* client/libipp/discover.h - which cluster a client belongs to. */
#ifndef IPP_CLIENT_LIBIPP_DISCOVER_H
#define IPP_CLIENT_LIBIPP_DISCOVER_H

#include <stdbool.h>

#include "proto/connection.h"

struct ipp_error;

enum discovered {
	DISCOVERED_NONE,  /* no cluster in sight; *out is empty */
	DISCOVERED_GIVEN, /* by IPP_CONNECT or by the program */
	DISCOVERED_FILE,  /* by a file in ~/.slurm-ipp: may be of a cluster that was killed */
};

/* Look at IPP_CONNECT, unless it is of another job, then for a file of this job, or of this machine
 * outside jobs.  Returns an enum discovered, with *out filled, or a negative errno. */
int discover(struct connection *out, struct ipp_error *err);

/* The cluster that a program names itself: "unix:@NAME", "file:PATH" or PATH.  DISCOVERED_GIVEN or
 * a negative errno. */
int discover_named(struct connection *out, const char *name, struct ipp_error *err);

/* This process is one of several tasks of a Slurm step that has no engines, and each would start a
 * cluster of its own; or engines here were not `chosen`, and it is in a shell of salloc's, off the
 * job's nodes.  -EINVAL with what to type instead, which is empty where another task says it; else
 * 0. */
int discover_check_alone(bool chosen, struct ipp_error *err);

#endif
