#include "engine/task.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"

static void drop_value(struct outcome *outcome)
{
	blob_unref(outcome->bytes);
	free(outcome->shape);
	free(outcome->text);
	outcome->bytes = NULL;
	outcome->shape = NULL;
	outcome->text = NULL;
	outcome->value = (struct ipp_value){.kind = IPP_NONE};
}

void outcome_reset(struct outcome *outcome)
{
	struct evbuffer *out = outcome->out, *err = outcome->err;

	drop_value(outcome);
	evbuffer_drain(out, evbuffer_get_length(out));
	evbuffer_drain(err, evbuffer_get_length(err));
	*outcome = (struct outcome){.kind = IPP__OUTCOME__OK, .out = out, .err = err};
}

void outcome_fail(struct outcome *outcome, Ipp__Outcome kind, int code, const char *fmt, ...)
{
	va_list args;

	outcome->kind = kind;
	outcome->code = code;
	va_start(args, fmt);
	vsnprintf(outcome->error, sizeof(outcome->error), fmt, args);
	va_end(args);
	ipp_one_line(outcome->error);
}

static int copy_text(struct outcome *outcome, const struct ipp_value *value)
{
	outcome->text = strndup(value->text, value->bytes);
	if (!outcome->text)
		return -ENOMEM;
	outcome->value = *value;
	outcome->value.text = outcome->text;
	return 0;
}

static int copy_array(struct outcome *outcome, const struct ipp_value *value)
{
	outcome->bytes = blob_copy(value->data, value->bytes);
	outcome->shape = malloc((value->n_dims + 1) * sizeof(*outcome->shape));
	if (!outcome->bytes || !outcome->shape)
		return -ENOMEM;
	if (value->n_dims)
		memcpy(outcome->shape, value->shape, value->n_dims * sizeof(*outcome->shape));
	snprintf(outcome->dtype, sizeof(outcome->dtype), "%s", value->dtype);
	outcome->value = *value;
	outcome->value.dtype = outcome->dtype;
	outcome->value.shape = outcome->shape;
	outcome->value.data = outcome->bytes->data;
	return 0;
}

int outcome_return(struct outcome *outcome, const struct ipp_value *value)
{
	drop_value(outcome);
	if (value->kind == IPP_TEXT)
		return copy_text(outcome, value);
	if (value->kind == IPP_ARRAY)
		return copy_array(outcome, value);
	outcome->value = *value;
	return 0;
}

/* The environment refers to these bytes, so that a
 * million tasks do not leave a million strings behind, as setenv() would. */
void task_environment(const struct task *task)
{
	static char engine[32], rank[32], place[40], number[40], slot[32];

	snprintf(engine, sizeof(engine), "IPP_ENGINE=%u", task->engine);
	snprintf(rank, sizeof(rank), "IPP_RANK=%u", task->engine);
	snprintf(place, sizeof(place), "IPP_INDEX=%llu", (unsigned long long)task->index);
	snprintf(number, sizeof(number), "PARALLEL_SEQ=%llu", (unsigned long long)task->index + 1);
	snprintf(slot, sizeof(slot), "PARALLEL_JOBSLOT=%u", task->engine + 1);
	putenv(engine);
	putenv(rank);
	putenv(place);
	putenv(number);
	putenv(slot);
}
