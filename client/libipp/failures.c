#include "client/libipp/failures.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/error.h"

#define NAMED_MAX 10

void failures_add_lacking(struct failures *failures, uint32_t rank)
{
	const size_t used = strlen(failures->lacking);

	if (++failures->n_lacking > 1 && failures->n_lacking <= NAMED_MAX)
		snprintf(failures->lacking + used, sizeof(failures->lacking) - used, "%s%u",
			 used ? ", " : "", failures->last);
	failures->last = rank;
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

static int fail_lacking(const struct failures *failures, const char *name, struct ipp_error *err)
{
	if (failures->n_lacking == 1)
		return ipp_fail(err, ENOENT,
				"engine %u has no variable '%s'; ipp-run ls shows what "
				"there is",
				failures->last, name);
	if (failures->n_lacking > NAMED_MAX)
		return ipp_fail(err, ENOENT,
				"%zu engines have no variable '%s': %s and others; ipp-run "
				"ls shows what there is",
				failures->n_lacking, name, failures->lacking);
	return ipp_fail(err, ENOENT,
			"engines %s and %u have no variable '%s'; ipp-run ls shows what "
			"there is",
			failures->lacking, failures->last, name);
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
