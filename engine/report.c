#include "engine/report.h"

#include <event2/buffer.h>
#include <string.h>

#include "engine/stray.h"
#include "proto/frame.h"
#include "proto/value.h"

void report_init(struct report *report, const struct outcome *outcome)
{
	Ipp__Result *result = &report->result;

	ipp__results__init(&report->results);
	ipp__result__init(result);
	report->one = result;
	report->outcome = outcome;
	report->results.n_results = 1;
	report->results.results = &report->one;
	result->outcome = outcome->kind;
	result->code = outcome->code;
	result->stray = outcome->kind == IPP__OUTCOME__KILLED && stray_came(outcome->code);
	result->error = (char *)outcome->error;
	result->stdout_bytes = evbuffer_get_length(outcome->out);
	result->stderr_bytes = evbuffer_get_length(outcome->err);
	if (outcome->kind != IPP__OUTCOME__OK || outcome->value.kind == IPP_NONE)
		return;
	value_describe("", &outcome->value, &report->value, &report->array);
	result->value = &report->value;
}

size_t report_lay_out(const struct report *report, uint8_t *to, size_t offset)
{
	const struct outcome *outcome = report->outcome;
	const size_t out_bytes = report->result.stdout_bytes;
	const size_t err_bytes = report->result.stderr_bytes;
	size_t end = offset + out_bytes + err_bytes;
	size_t padding;

	if (to && out_bytes > 0)
		evbuffer_copyout(outcome->out, to + offset, out_bytes);
	if (to && err_bytes > 0)
		evbuffer_copyout(outcome->err, to + offset + out_bytes, err_bytes);
	if (value_array_bytes(report->result.value) == 0)
		return end;
	padding = array_padding(end);
	if (to)
		memset(to + end, 0, padding);
	end += padding;
	if (to)
		memcpy(to + end, outcome->value.data, outcome->value.bytes);
	return end + outcome->value.bytes;
}
