/* engine/report.h - what became of a task, as the message that tells it.
 *
 * Thread: the worker's only one. */
#ifndef IPP_ENGINE_REPORT_H
#define IPP_ENGINE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/task.h"

struct report {
	Ipp__Results results; /* of `result` alone */
	Ipp__Result result, *one;
	Ipp__Value value;
	Ipp__Array array;
	const struct outcome *outcome;
};

/* Tell all that the outcome knows (borrows it): not whose it is, nor when it was. */
void report_init(struct report *report, const struct outcome *outcome);

/* Lay out stdout, stderr and array behind `offset` bytes of a payload; NULL only counts.  Where
 * they end. */
size_t report_lay_out(const struct report *report, uint8_t *to, size_t offset);

#endif
