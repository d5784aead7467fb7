#include "client/libipp/failures.h"

#include <errno.h>
#include <stdio.h>

#include "proto/error.h"

void failures_add_lacking(struct failures *failures, uint32_t rank)
{
	size_t at = failures->n_lacking < FAILURES_NAMED_MAX ? failures->n_lacking
							     : FAILURES_NAMED_MAX - 1;

	if (failures->n_lacking++ >= FAILURES_NAMED_MAX && failures->lacking[at] < rank)
		return;
	for (; at > 0 && failures->lacking[at - 1] > rank; at--)
		failures->lacking[at] = failures->lacking[at - 1];
	failures->lacking[at] = rank;
}

void failures_add(struct failures *failures, const Ipp__Result *result)
{
	if (result->outcome == IPP__OUTCOME__OK)
		return;
	if (result->outcome == IPP__OUTCOME__ERROR && result->code == ENOENT) {
		failures_add_lacking(failures, result->engine);
		return;
	}
	if (failures->n_other++ > 0)
		return;
	failures->other = result->engine;
	snprintf(failures->why, sizeof(failures->why), "%s", result->error);
}

/* "1, 3 and 5", or "1, 3, 5 and others" */
static void name_lacking(const struct failures *failures, char *text, size_t bytes)
{
	const size_t n = failures->n_lacking;
	size_t at = 0;

	for (size_t i = 0; i < n && i < FAILURES_NAMED_MAX; i++)
		at += (size_t)snprintf(text + at, bytes - at, "%s%u",
				       i == 0	    ? ""
				       : i + 1 == n ? " and "
						    : ", ",
				       failures->lacking[i]);
	if (n > FAILURES_NAMED_MAX)
		snprintf(text + at, bytes - at, " and others");
}

static int fail_lacking(const struct failures *failures, const char *name, struct ipp_error *err)
{
	char ranks[FAILURES_NAMED_MAX * 12 + 16];

	name_lacking(failures, ranks, sizeof(ranks));
	if (failures->n_lacking == 1)
		return ipp_fail(err, ENOENT,
				"engine %s has no variable '%s'; ipp-run ls shows what there is",
				ranks, name);
	if (failures->n_lacking > FAILURES_NAMED_MAX)
		return ipp_fail(err, ENOENT,
				"%zu engines have no variable '%s': %s; ipp-run ls shows what "
				"there is",
				failures->n_lacking, name, ranks);
	return ipp_fail(err, ENOENT,
			"engines %s have no variable '%s'; ipp-run ls shows what there is", ranks,
			name);
}

int failures_verdict(const struct failures *failures, enum ipp_work work, const char *name,
		     struct ipp_error *err)
{
	static const char *const whats[] = {
		[IPP_PUSH] = "push '%s' to",	      [IPP_SCATTER] = "scatter '%s' to",
		[IPP_PULL] = "pull '%s' from",	      [IPP_GATHER] = "gather '%s' from",
		[IPP_LIST] = "list the variables of", [IPP_REMOVE] = "remove '%s' from",
	};
	char what[300], more[48] = "";

	if (failures->n_other == 0)
		return failures->n_lacking == 0 ? 0 : fail_lacking(failures, name, err);
	snprintf(what, sizeof(what), whats[work], name);
	if (failures->n_other > 1)
		snprintf(more, sizeof(more), " (%zu engines in all)", failures->n_other);
	return ipp_fail(err, EIO, "cannot %.270s engine %u: %.140s%s", what, failures->other,
			failures->why, more);
}
