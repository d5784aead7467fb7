/* engine/runtimes/native.c - functions of shared objects, written against ipp/module.h. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/runtime.h"
#include "engine/runtimes/object.h"
#include "engine/variables.h"
#include "proto/error.h"

#define TEXT_MAX (1 << 20) /* it goes in the frame's head, which is bounded */

struct native {
	struct object object;
	ipp_function *function;
	const struct variables *arguments;
	void *shared; /* ipp_state() */
	void (*release)(void *);
};

struct native_call {
	struct ipp_call call; /* what the function sees; first */
	struct native *native;
	const struct task *task;
	struct outcome *outcome;
};

static struct native_call *native_call(const struct ipp_call *call)
{
	return (struct native_call *)call;
}

static const struct ipp_value *argument(const struct ipp_call *call, const char *name)
{
	return variables_get(native_call(call)->native->arguments, name);
}

static const struct ipp_value *variable(const struct ipp_call *call, const char *name)
{
	return variables_get(native_call(call)->task->variables, name);
}

static const struct ipp_value *item(const struct ipp_call *call)
{
	return &native_call(call)->task->item;
}

static uint64_t place(const struct ipp_call *call)
{
	return native_call(call)->task->index;
}

static void **state(struct ipp_call *call, void (*release)(void *))
{
	struct native *native = native_call(call)->native;

	native->release = release;
	return &native->shared;
}

static int return_value(struct ipp_call *call, const struct ipp_value *value)
{
	struct outcome *outcome = native_call(call)->outcome;

	if (value->kind == IPP_TEXT && value->bytes > TEXT_MAX) {
		outcome_fail(outcome, IPP__OUTCOME__ERROR, EMSGSIZE,
			     "its result is a text of %zu bytes, and %d is the most: return an "
			     "array of |u1",
			     value->bytes, TEXT_MAX);
		return EMSGSIZE;
	}
	if (outcome_return(outcome, value) == 0)
		return 0;
	outcome_fail(outcome, IPP__OUTCOME__ERROR, ENOMEM,
		     "out of memory for its result of %zu bytes", value->bytes);
	return ENOMEM;
}

static int fail(struct ipp_call *call, const char *text)
{
	outcome_fail(native_call(call)->outcome, IPP__OUTCOME__ERROR, 1, "%s", text);
	return 1;
}

static int store(struct ipp_call *call, const char *name, const struct ipp_value *value)
{
	struct native_call *self = native_call(call);
	struct ipp_error err;
	const int rc = self->task->store(self->task->storer, name, value, &err);

	if (rc == 0)
		return 0;
	outcome_fail(self->outcome, IPP__OUTCOME__ERROR, -rc, "%s", err.text);
	return -rc;
}

static const struct ipp_services services = {
	.argument = argument,
	.variable = variable,
	.item = item,
	.index = place,
	.state = state,
	.return_value = return_value,
	.fail = fail,
	.store = store,
};

/* A name without a slash is one of our own modules, in modules/ beside this program. */
static void module_path(char *path, size_t bytes, const char *module)
{
	char self[4096];
	ssize_t n;

	if (strchr(module, '/')) {
		snprintf(path, bytes, "%s", module);
		return;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	snprintf(path, bytes, "%.*s/modules/%s", (int)(strrchr(self, '/') - self), self, module);
}

static int find(struct native *native, const char *path, const char *name, struct ipp_error *err)
{
	const uint32_t *version = dlsym(native->object.handle, "ipp_module_version");
	void *symbol;

	if (!version)
		return ipp_fail(err, EINVAL,
				"%s is no slurm-ipp module: it lacks IPP_MODULE (ipp/module.h)",
				path);
	if (*version != IPP_MODULE_VERSION)
		return ipp_fail(err, EINVAL,
				"the module %s was built for version %u of ipp/module.h, this is "
				"version %u: build it again",
				path, *version, IPP_MODULE_VERSION);
	symbol = dlsym(native->object.handle, name);
	if (!symbol)
		return ipp_fail(err, ENOENT, "the module %s has no function '%s'", path, name);
	memcpy(&native->function, &symbol, sizeof(symbol));
	return 0;
}

static void native_close(void *opened)
{
	struct native *native = opened;

	if (native->shared && native->release)
		native->release(native->shared);
	object_unload(&native->object);
	free(native);
}

static int native_open(void **opened, const Ipp__Call *call, const struct variables *arguments,
		       struct blob *payload, struct ipp_error *err)
{
	const char *colon = strrchr(call->function, ':');
	struct native *native;
	char module[4096], path[8192];
	int rc;

	if (!colon || colon == call->function || !colon[1])
		return ipp_fail(err, EINVAL, "'%s' names no native function: write MODULE.so:NAME",
				call->function);
	native = calloc(1, sizeof(*native));
	if (!native)
		return ipp_fail(err, ENOMEM, "out of memory");
	native->arguments = arguments;
	snprintf(module, sizeof(module), "%.*s", (int)(colon - call->function), call->function);
	module_path(path, sizeof(path), module);
	rc = object_load(&native->object, path, payload, call->module_bytes, err);
	if (rc == 0)
		rc = find(native, path, colon + 1, err);
	if (rc < 0)
		native_close(native);
	else
		*opened = native;
	return rc;
}

static void native_run(void *opened, const struct task *task, struct outcome *outcome)
{
	struct native *native = opened;
	struct native_call call = {{&services}, native, task, outcome};
	const int rc = native->function(&call.call);

	if (rc != 0 && outcome->kind == IPP__OUTCOME__OK)
		outcome_fail(outcome, IPP__OUTCOME__ERROR, rc, "it returned %d without saying why",
			     rc);
}

const struct runtime native_runtime = {
	.name = "native",
	.open = native_open,
	.run = native_run,
	.close = native_close,
};
