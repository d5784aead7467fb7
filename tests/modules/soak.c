/* What tests/slurm/soak.bats runs: tasks of up to half a millisecond, whose results can be checked.
 */
#include <ipp/module.h>
#include <time.h>

IPP_MODULE

ipp_function work;

int work(struct ipp_call *call)
{
	const int64_t i = ipp_item(call)->integer;
	const struct timespec nap = {.tv_nsec = (long)((uint64_t)i * 2654435761U % 500000)};

	nanosleep(&nap, NULL);
	return ipp_return_integer(call, i * i);
}
