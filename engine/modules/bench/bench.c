/* engine/modules/bench/bench.c - tasks that cost nothing, or just time: what is left is ours. */
#include <errno.h>
#include <time.h>

#include <ipp/module.h>

IPP_MODULE

int noop(struct ipp_call *call);
int nap(struct ipp_call *call);

int noop(struct ipp_call *call)
{
	(void)call;
	return 0;
}

/* Sleep for as many microseconds as the item says. */
int nap(struct ipp_call *call)
{
	const struct ipp_value *item = ipp_item(call);
	struct timespec left = {.tv_sec = item->integer / 1000000,
				.tv_nsec = item->integer % 1000000 * 1000};

	if (item->kind != IPP_INTEGER || item->integer < 0)
		return ipp_fail_call(call, "its item is no number of microseconds");
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
	return 0;
}
