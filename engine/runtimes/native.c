/* engine/runtimes/native.c - functions of shared objects, written against ipp/module.h. */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/runtime.h"
#include "engine/runtimes/object.h"
#include "engine/variables.h"
#include "proto/error.h"
#include "proto/npy.h"
#include "proto/row_items.h"
#include "proto/variable.h"

struct native {
	struct object object;
	ipp_function *function;
	const struct variables *arguments;
	bool by_row; /* items are these */
	struct row_items rows;
	void *shared; /* ipp_state() */
	void (*release)(void *);
};

struct native_call {
	struct ipp_call call; /* what the function sees; first */
	struct native *native;
	const struct task *task;
	struct outcome *outcome;
	struct ipp_value item;
	char text[ROW_ITEM_TEXT];
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
	return &native_call(call)->item;
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

static int check_text(const struct ipp_value *value, const char *what, struct ipp_error *err)
{
	const char *nul;

	if (!value->text)
		return ipp_fail(err, EINVAL, "%s is a text whose pointer is NULL", what);
	if (value->bytes > VARIABLE_TEXT_MAX)
		return ipp_fail(err, EMSGSIZE,
				"%s is a text of %zu bytes, and %d is the most: make it an array "
				"of |u1",
				what, value->bytes, VARIABLE_TEXT_MAX);
	nul = memchr(value->text, '\0', value->bytes);
	if (nul)
		return ipp_fail(err, EINVAL,
				"%s is a text of %zu bytes with a NUL among them, at %zu: make it "
				"an array of |u1",
				what, value->bytes, (size_t)(nul - value->text));
	return 0;
}

static int check_array(const struct ipp_value *value, const char *what, struct ipp_error *err)
{
	struct npy npy;
	char shape[80];
	int rc;

	if (!value->dtype || (!value->shape && value->n_dims > 0) ||
	    (!value->data && value->bytes > 0))
		return ipp_fail(err, EINVAL, "%s is an array whose %s is NULL", what,
				!value->dtype			   ? "dtype"
				: !value->data && value->bytes > 0 ? "data"
								   : "shape");
	rc = npy_init(&npy, value->dtype, value->n_dims, value->shape, value->fortran_order, what,
		      err);
	if (rc < 0)
		return ipp_failure(rc);
	if (value->bytes == npy.data_bytes)
		return 0;
	npy_shape_text(&npy, shape, sizeof(shape));
	return ipp_fail(err, EINVAL,
			"%s is an array of %zu bytes, but its shape %s of dtype %s takes %zu", what,
			value->bytes, shape, npy.dtype, npy.data_bytes);
}

/* What a function gave, which may be anything; `what` it is begins the sentence. */
static int check_value(const struct ipp_value *value, const char *what, struct ipp_error *err)
{
	switch (value->kind) {
	case IPP_NONE:
	case IPP_INTEGER:
	case IPP_REAL:
		return 0;
	case IPP_TEXT:
		return check_text(value, what, err);
	case IPP_ARRAY:
		return check_array(value, what, err);
	}
	return ipp_fail(err, EINVAL, "%s is of kind %d, which ipp/module.h does not have", what,
			(int)value->kind);
}

static int return_value(struct ipp_call *call, const struct ipp_value *value)
{
	struct outcome *outcome = native_call(call)->outcome;
	struct ipp_error err;
	int rc = check_value(value, "its result", &err);

	if (rc == 0 && outcome_return(outcome, value) < 0)
		rc = ipp_fail(&err, ENOMEM, "out of memory for its result of %zu bytes",
			      value->bytes);
	if (rc < 0)
		outcome_fail(outcome, IPP__OUTCOME__ERROR, -rc, "%s", err.text);
	return -rc;
}

static int fail(struct ipp_call *call, const char *text)
{
	outcome_fail(native_call(call)->outcome, IPP__OUTCOME__ERROR, 1, "%s",
		     text && text[0] ? text : "it failed without saying why");
	return 1;
}

static int store(struct ipp_call *call, const char *name, const struct ipp_value *value)
{
	struct native_call *self = native_call(call);
	struct ipp_error err;
	int rc = check_value(value, "what it stores", &err);

	if (rc == 0)
		rc = self->task->store(self->task->worker, name, value, &err);
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

/* What dlsym() found; where nothing is known of it, it is believed. */
static bool is_function(const void *address)
{
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	return dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 || !symbol ||
	       ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT;
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
	if (!symbol || !is_function(symbol))
		return ipp_fail(err, ENOENT, "the module %s has no function '%s'", path, name);
	memcpy(&native->function, &symbol, sizeof(symbol));
	return 0;
}

static int find_rows(struct native *native, const Ipp__Call *call, struct ipp_error *err)
{
	const char *name = call->n_arguments > 0 ? call->arguments[0]->name : "";
	const struct ipp_value *array = variables_get(native->arguments, name);

	if (!array)
		return ipp_fail(err, EINVAL,
				"its items are to be rows of its first argument, and it has none");
	native->by_row = true;
	return row_items_init(&native->rows, array, name, err);
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
	if (rc == 0 && call->rows)
		rc = find_rows(native, call, err);
	if (rc < 0)
		native_close(native);
	else
		*opened = native;
	return rc;
}

/* In place of its number; numbers come from outside. */
static int take_row(struct native_call *call)
{
	const struct row_items *rows = &call->native->rows;
	const uint64_t i = (uint64_t)call->item.integer;

	if (call->item.kind != IPP_INTEGER || i >= rows->n) {
		outcome_fail(call->outcome, IPP__OUTCOME__ERROR, EINVAL,
			     "its item '%.60s' is none of the %" PRIu64 " rows of its array",
			     call->item.text, rows->n);
		return -EINVAL;
	}
	row_items_get(rows, i, &call->item, call->text);
	return 0;
}

static void native_run(void *opened, const struct task *task, struct outcome *outcome)
{
	struct native *native = opened;
	struct native_call call = {.call = {&services},
				   .native = native,
				   .task = task,
				   .outcome = outcome,
				   .item = task->item};
	int rc;

	if (native->by_row && take_row(&call) < 0)
		return;
	rc = native->function(&call.call);
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
