/* tests/unit/local_cluster.h - for tests of libipp: two engines on this machine, and a client. */
#ifndef IPP_TESTS_LOCAL_CLUSTER_H
#define IPP_TESTS_LOCAL_CLUSTER_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ipp/client.h>

#include "tests/unit/folder.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

#define PATIENCE_MS 20000

static char home[] = "/tmp/ipp-client-XXXXXX";
static char programs[4096]; /* the folder of this one */
static struct ipp_client *client;
static struct ipp_error err;

static inline void must(int rc)
{
	if (rc < 0)
		fail_msg("%s", err.text);
}

static inline struct ipp_client *connect_client(void)
{
	const struct ipp_connect options = {.local_engines = 0};
	struct ipp_client *one = NULL;

	must(ipp_connect(&one, &options, &err));
	return one;
}

static inline int setup_cluster(void **state)
{
	const ssize_t n = readlink("/proc/self/exe", programs, sizeof(programs) - 1);
	char path[2 * sizeof(programs)];

	(void)state;
	programs[n > 0 ? n : 0] = '\0';
	*strrchr(programs, '/') = '\0';
	snprintf(path, sizeof(path), "%s/..:%s", programs, getenv("PATH"));
	setenv("PATH", path, 1);
	unsetenv("IPP_CONNECT");
	unsetenv("SLURM_JOB_ID");
	if (!mkdtemp(home) || setenv("HOME", home, 1) < 0 || ipp_start(2, 0, &err) < 0) {
		fprintf(stderr, "# %s\n", err.text);
		return -1;
	}
	client = connect_client();
	return 0;
}

static inline int teardown_cluster(void **state)
{
	(void)state;
	if (client)
		ipp_stop(client, &err);
	ipp_disconnect(client);
	return folder_remove(home);
}

/* ---- what is run ---- */

struct range {
	int64_t next, end;
	uint64_t n_asked;
};

static inline int next_integer(void *owner, struct ipp_value *item)
{
	struct range *range = owner;

	range->n_asked++;
	if (range->next == range->end)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = range->next++};
	return 1;
}

static inline const char *sample(const char *name)
{
	static char function[sizeof(programs) + 64];

	snprintf(function, sizeof(function), "%s/modules/sample.so:%s", programs, name);
	return function;
}

static inline struct ipp_run squares(struct range *range)
{
	return (struct ipp_run){.function = sample("square"), .next = next_integer, .owner = range};
}

static inline struct ipp_request *submit(const struct ipp_run *run)
{
	struct ipp_request *request = NULL;

	must(ipp_submit(client, run, &request, &err));
	return request;
}

static inline const struct ipp_result *next(struct ipp_request *request)
{
	const struct ipp_result *result = NULL;
	const int rc = ipp_next(request, PATIENCE_MS, &result, &err);

	must(rc);
	return rc ? result : NULL;
}

/* ---- what runs until it is ended ---- */

static const char *const forever[] = {"sleep", "1000", NULL};
static const uint32_t first_engine[] = {0};
static const struct ipp_run sleeper = {.argv = forever, .targets = first_engine, .n_targets = 1};

#endif
