#include "client/libipp/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/module_file.h"
#include "client/libipp/session.h"
#include "proto/value.h"

/* Storage of the arguments' heads. */
struct heads {
	Ipp__Value *values;
	Ipp__Array *arrays;
	Ipp__Value **pointers;
};

static int describe_arguments(struct heads *heads, const struct ipp_run *run, struct ipp_error *err)
{
	const size_t n = run->n_arguments;

	heads->values = calloc(n + 1, sizeof(*heads->values));
	heads->arrays = calloc(n + 1, sizeof(*heads->arrays));
	heads->pointers = calloc(n + 1, sizeof(*heads->pointers));
	if (!heads->values || !heads->arrays || !heads->pointers)
		return ipp_fail(err, ENOMEM, "out of memory for %zu arguments", n);
	for (size_t i = 0; i < n; i++) {
		const struct ipp_argument *argument = &run->arguments[i];

		if (argument->value.kind == IPP_NONE)
			return ipp_fail(err, EINVAL, "argument '%.100s' has no value",
					argument->name);
		value_describe(argument->name, &argument->value, &heads->values[i],
			       &heads->arrays[i]);
		heads->pointers[i] = &heads->values[i];
	}
	return 0;
}

static void heads_fini(struct heads *heads)
{
	free(heads->values);
	free(heads->arrays);
	free(heads->pointers);
}

/* Copy the arguments' arrays to `to`, of which `offset` bytes are filled; NULL only counts. */
static size_t lay_arrays(uint8_t *to, size_t offset, const struct ipp_run *run)
{
	for (size_t i = 0; i < run->n_arguments; i++) {
		const struct ipp_value *value = &run->arguments[i].value;
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
static int make_payload(struct blob **out, struct blob *module, const struct ipp_run *run,
			struct ipp_error *err)
{
	const size_t module_bytes = module ? module->bytes : 0;
	const size_t bytes = lay_arrays(NULL, module_bytes, run);
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
	lay_arrays(blob->data, module_bytes, run);
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

/* Arguments and the module have been filled in. */
static void send(struct ipp_client *client, Ipp__Call *call, Ipp__Targets *targets,
		 const struct ipp_run *run, struct blob *payload)
{
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
	call->detached = run->detached;
	call->values = (uint32_t)run->n_values;
	call->first_failure_ends = run->first_failure_ends;
	if (run->n_targets > 0) {
		targets->ranks = (uint32_t *)run->targets;
		targets->n_ranks = run->n_targets;
		call->targets = targets;
	}
	link_send(client->link, FRAME_CALL, &call->base, payload);
}

static int send_all(struct ipp_client *client, uint64_t request, const struct ipp_run *run,
		    struct ipp_error *err)
{
	const struct module_file *module = NULL;
	Ipp__Call call = IPP__CALL__INIT;
	Ipp__Targets targets = IPP__TARGETS__INIT;
	struct heads heads = {0};
	struct blob *payload = NULL;
	int rc = describe_arguments(&heads, run, err);

	if (rc == 0 && run->function)
		rc = module_file_get(&client->module, run->function, &module, err);
	if (rc == 0)
		rc = make_payload(&payload, module ? module->bytes : NULL, run, err);
	if (rc == 0) {
		call.request = request;
		call.arguments = heads.pointers;
		call.n_arguments = run->n_arguments;
		if (module)
			call.function = module->function;
		else if (run->function || run->line)
			call.function = (char *)(run->function ? run->function : run->line);
		call.module_bytes = module ? module->bytes->bytes : 0;
		send(client, &call, &targets, run, payload);
	}
	blob_unref(payload);
	heads_fini(&heads);
	return rc;
}

int call_send(struct ipp_client *client, uint64_t request, const struct ipp_run *run,
	      struct ipp_error *err)
{
	const struct ipp_argument script = {.name = "script",
					    .value = {.kind = IPP_ARRAY,
						      .dtype = "|u1",
						      .data = run->script,
						      .bytes = run->script_bytes}};
	struct ipp_run with_script = *run;

	if (!run->script || run->function || run->line)
		return send_all(client, request, run, err);
	with_script.arguments = &script;
	with_script.n_arguments = 1;
	return send_all(client, request, &with_script, err);
}
