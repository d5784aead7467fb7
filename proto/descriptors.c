#include "proto/descriptors.h"

#include <limits.h>
#include <sys/resource.h>

size_t descriptors_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return (size_t)limit.rlim_cur;
}

bool descriptors_allow(enum descriptors_use use, int fd)
{
	const size_t max = descriptors_max();

	switch (use) {
	case DESCRIPTORS_PAYLOADS:
		return (size_t)fd < max / 2;
	case DESCRIPTORS_FILES:
		return (size_t)fd < max - max / 4;
	default:
		return (size_t)fd + DESCRIPTORS_RESERVE < max;
	}
}
