#include "client/libipp/lacking.h"

#include <stdio.h>
#include <string.h>

#include "proto/error.h"

#define NAMED_MAX 10

void lacking_add(struct lacking *lacking, uint32_t rank)
{
	const size_t used = strlen(lacking->text);

	if (++lacking->n > 1 && lacking->n <= NAMED_MAX)
		snprintf(lacking->text + used, sizeof(lacking->text) - used, "%s%u",
			 used ? ", " : "", lacking->last);
	lacking->last = rank;
}

int lacking_fail(struct lacking *lacking, const char *name, struct ipp_error *err)
{
	if (lacking->n == 1)
		return ipp_fail(err, ENOENT,
				"engine %u has no variable '%s'; ipp-run ls shows what "
				"there is",
				lacking->last, name);
	if (lacking->n > NAMED_MAX)
		return ipp_fail(err, ENOENT,
				"%zu engines have no variable '%s': %s and others; ipp-run "
				"ls shows what there is",
				lacking->n, name, lacking->text);
	return ipp_fail(err, ENOENT,
			"engines %s and %u have no variable '%s'; ipp-run ls shows what "
			"there is",
			lacking->text, lacking->last, name);
}
