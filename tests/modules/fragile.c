/* A module that crashes where no function of it runs: with IPP_TEST_CRASH=load or =unload. */
#include <ipp/module.h>
#include <stdlib.h>
#include <string.h>

IPP_MODULE

ipp_function nothing;

static void crash_at(const char *moment)
{
	const char *wanted = getenv("IPP_TEST_CRASH");

	if (wanted && strcmp(wanted, moment) == 0)
		_Exit(7);
}

__attribute__((constructor)) static void load(void)
{
	crash_at("load");
}

__attribute__((destructor)) static void unload(void)
{
	crash_at("unload");
}

int nothing(struct ipp_call *call)
{
	(void)call;
	return 0;
}
