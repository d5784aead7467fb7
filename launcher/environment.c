#include "launcher/environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const environment_not_for_tasks[] = {
	"PMIX_*", "PMI_*", "SLURM_PMIX*", "SLURM_SPANK__*", "IPP_LAUNCH_*", "IPP_CONNECT", NULL,
};

const char *const environment_of_launcher[] = {"IPP_LAUNCH_*", "IPP_CONNECT", NULL};

static bool matches(const char *variable, const char *pattern)
{
	const size_t bytes = strlen(pattern);

	if (pattern[bytes - 1] == '*')
		return strncmp(variable, pattern, bytes - 1) == 0;
	return strncmp(variable, pattern, bytes) == 0 && variable[bytes] == '=';
}

static bool matches_any(const char *variable, const char *const patterns[])
{
	for (; *patterns; patterns++)
		if (matches(variable, *patterns))
			return true;
	return false;
}

char **environment_copy(void)
{
	size_t n = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	if (copy)
		memcpy(copy, environ, n * sizeof(*copy));
	return copy;
}

void environment_scrub(const char *const patterns[])
{
	char **kept = environ;

	for (char **at = environ; *at; at++)
		if (!matches_any(*at, patterns))
			*kept++ = *at;
	*kept = NULL;
}
