#include "client/libipp/call.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/given.h"
#include "client/libipp/module_file.h"
#include "client/libipp/session.h"
#include "proto/array_file.h"
#include "proto/row_items.h"
#include "proto/value.h"

/* An argument, its head, and the file that it may lie in. */
struct part {
	const struct ipp_value *value;
	Ipp__Value head;
	Ipp__Array array;
	struct array_file file;
	bool open;
};

struct parts {
	struct part *at;
	Ipp__Value **heads;
	size_t n;
};

static int describe(struct part *part, const struct ipp_argument *argument, struct ipp_error *err)
{
	int rc = 0;

	part->value = &argument->value;
	if (argument->file) {
		rc = array_file_open(&part->file, argument->file, err);
		part->open = rc == 0;
		part->value = &part->file.value;
	}
	if (rc == 0)
		rc = given_check(argument->name, part->value, err);
	if (rc == 0)
		value_describe(argument->name, part->value, &part->head, &part->array);
	return rc;
}

static int describe_arguments(struct parts *parts, const struct ipp_run *run, struct ipp_error *err)
{
	const size_t n = run->n_arguments;
	int rc = 0;

	parts->at = calloc(n + 1, sizeof(*parts->at));
	parts->heads = calloc(n + 1, sizeof(*parts->heads));
	if (!parts->at || !parts->heads)
		return ipp_fail(err, ENOMEM, "out of memory for %zu arguments", n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		for (size_t k = 0; k < i; k++)
			if (strcmp(run->arguments[k].name, run->arguments[i].name) == 0)
				return ipp_fail(
					err, EINVAL,
					"the argument '%.100s' is given twice: leave one out",
					run->arguments[i].name);
		parts->n++;
		rc = describe(&parts->at[i], &run->arguments[i], err);
		parts->heads[i] = &parts->at[i].head;
	}
	return rc;
}

static void parts_fini(struct parts *parts)
{
	for (size_t i = 0; i < parts->n; i++)
		if (parts->at[i].open)
			array_file_close(&parts->at[i].file);
	free(parts->at);
	free(parts->heads);
}

/* Copy the arguments' arrays to `to`, of which `offset` bytes are filled; NULL only counts. */
static size_t lay_arrays(uint8_t *to, size_t offset, const struct parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		const struct ipp_value *value = parts->at[i].value;
		const size_t padding = array_padding(offset);

		if (value->kind != IPP_ARRAY)
			continue;
		if (to)
			memset(to + offset, 0, padding);
		offset += padding;
		if (to && value->bytes)
			memcpy(to + offset, value->data, value->bytes);
		offset += value->bytes;
	}
	return offset;
}

/* Module, then arrays (gives; NULL when there is nothing of it). */
static int make_payload(struct blob **out, struct blob *module, const struct parts *parts,
			struct ipp_error *err)
{
	const size_t module_bytes = module ? module->bytes : 0;
	const size_t bytes = lay_arrays(NULL, module_bytes, parts);
	struct blob *blob;

	*out = blob_ref(module);
	if (bytes == module_bytes)
		return 0;
	*out = NULL;
	blob_unref(module);
	blob = blob_new(bytes);
	if (!blob)
		return ipp_fail(err, ENOMEM, "out of memory for arguments of %zu bytes", bytes);
	if (module)
		memcpy(blob->data, module->data, module_bytes);
	lay_arrays(blob->data, module_bytes, parts);
	if (blob_seal(blob, err) < 0) {
		blob_unref(blob);
		return -err->code;
	}
	*out = blob;
	return 0;
}

static const char *runtime_of(const struct ipp_run *run)
{
	return run->function ? "native" : run->line ? "shell" : run->script ? "script" : "command";
}

static Ipp__Condition condition_of(const struct ipp_condition *condition)
{
	Ipp__Condition out = IPP__CONDITION__INIT;

	out.any = condition->any;
	out.ending = (Ipp__Ending)condition->ending;
	return out;
}

static int check_rows(const struct parts *parts, const struct ipp_run *run, struct ipp_error *err)
{
	const struct ipp_argument *first = run->arguments;
	struct row_items rows;

	if (!run->function || run->n_targets > 0 || parts->n == 0)
		return ipp_fail(err, EINVAL,
				"rows are items of a map of a function, whose first argument is "
				"their array");
	return row_items_init(&rows, parts->at[0].value, first->file ? first->file : first->name,
			      err);
}

/* Arguments, the module and conditions have been filled in. */
static int send(struct ipp_client *client, Ipp__Call *call, Ipp__Targets *targets,
		const struct ipp_run *run, struct blob *payload, struct ipp_error *err)
{
	size_t bytes;

	call->runtime = (char *)runtime_of(run);
	call->argv = (char **)run->argv;
	while (run->argv && run->argv[call->n_argv])
		call->n_argv++;
	if (run->directory)
		call->directory = (char *)run->directory;
	if (run->label)
		call->label = (char *)run->label;
	call->task_timeout_ms = run->task_timeout_ms;
	call->among = (uint32_t *)run->among;
	call->n_among = run->n_among;
	call->retries = run->retries;
	call->chunk = run->chunk;
	call->hwm = run->hwm;
	call->after = (uint64_t *)run->after;
	call->n_after = run->n_after;
	call->follow = (uint64_t *)run->follow;
	call->n_follow = run->n_follow;
	call->wait_ms = run->wait_ms;
	call->detached = run->detached;
	call->values = (uint32_t)run->n_values;
	call->first_failure_ends = run->first_failure_ends;
	call->rows = run->rows;
	if (run->n_targets > 0) {
		targets->ranks = (uint32_t *)run->targets;
		targets->n_ranks = run->n_targets;
		call->targets = targets;
	}
	bytes = ipp__call__get_packed_size(call);
	if (bytes > FRAME_CALL_HEAD_MAX)
		return ipp_fail(err, EMSGSIZE,
				"the words and texts of a call are %zu bytes together, and may be "
				"%u: push what is long, or pass it as an array",
				bytes, FRAME_CALL_HEAD_MAX);
	link_send(client->link, FRAME_CALL, &call->base, payload);
	return 0;
}

static int send_all(struct ipp_client *client, uint64_t request, const struct ipp_run *run,
		    struct ipp_error *err)
{
	const struct module_file *module = NULL;
	Ipp__Call call = IPP__CALL__INIT;
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__Condition after_if = condition_of(&run->after_if);
	Ipp__Condition follow_if = condition_of(&run->follow_if);
	struct parts parts = {0};
	struct blob *payload = NULL;
	int rc = describe_arguments(&parts, run, err);

	if (rc == 0 && run->rows)
		rc = check_rows(&parts, run, err);
	if (rc == 0 && run->function)
		rc = module_file_get(&client->module, run->function, &module, err);
	if (rc == 0)
		rc = make_payload(&payload, module ? module->bytes : NULL, &parts, err);
	if (rc == 0) {
		call.request = request;
		call.arguments = parts.heads;
		call.n_arguments = run->n_arguments;
		call.after_if = &after_if;
		call.follow_if = &follow_if;
		if (module)
			call.function = module->function;
		else if (run->function || run->line)
			call.function = (char *)(run->function ? run->function : run->line);
		call.module_bytes = module ? module->bytes->bytes : 0;
		rc = send(client, &call, &targets, run, payload, err);
	}
	blob_unref(payload);
	parts_fini(&parts);
	return rc;
}

int call_send(struct ipp_client *client, uint64_t request, const struct ipp_run *run,
	      struct ipp_error *err)
{
	const uint64_t shape[] = {run->script_bytes};
	const struct ipp_argument script = {.name = "script",
					    .value = {.kind = IPP_ARRAY,
						      .dtype = "|u1",
						      .shape = shape,
						      .n_dims = 1,
						      .data = run->script,
						      .bytes = run->script_bytes}};
	struct ipp_run with_script = *run;

	if (!run->script || run->function || run->line)
		return send_all(client, request, run, err);
	with_script.arguments = &script;
	with_script.n_arguments = 1;
	return send_all(client, request, &with_script, err);
}
