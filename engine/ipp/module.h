/* ipp/module.h - write functions that slurm-ipp's engines run.
 *
 * A module is a shared object.  A function of it is named MODULE.so:NAME and has the form
 *
 *	int NAME(struct ipp_call *call);
 *
 * It sees the arguments of the call, the item of the map, and the engine's variables (what push and
 * scatter put there, or a function stored), all read-only and without a copy.  It sets at most one
 * result and returns 0, or it returns the value of ipp_fail_call().  It runs in a worker process of
 * its own, one function at a time: a crash costs that task alone.
 *
 *	#include <ipp/module.h>
 *	#include <stdlib.h>
 *
 *	IPP_MODULE
 *
 *	int square(struct ipp_call *call)
 *	{
 *		const int64_t i = atoll(ipp_item(call)->text);
 *
 *		return ipp_return_integer(call, i * i);
 *	}
 *
 *	cc -shared -fPIC -o square.so square.c
 *	ipp-run map ./square.so:square 1:4
 *	ipp-run map ./square.so:square ::: 1 2 3 */
#ifndef IPP_MODULE_H
#define IPP_MODULE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPP_MODULE_VERSION 1

/* Once in each module: says what it was built for. */
#define IPP_MODULE                                                                                 \
	IPP_MODULE_EXPORT const uint32_t ipp_module_version;                                       \
	const uint32_t ipp_module_version = IPP_MODULE_VERSION;
#ifdef __cplusplus
#define IPP_MODULE_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define IPP_MODULE_EXPORT extern __attribute__((visibility("default")))
#endif

enum ipp_kind { IPP_NONE, IPP_INTEGER, IPP_REAL, IPP_TEXT, IPP_ARRAY };

struct ipp_value {
	enum ipp_kind kind;
	int64_t integer;
	double real; /* of IPP_INTEGER too */
	const char
		*text; /* NUL-terminated; of what a function sees never NULL: a number's digits */
	size_t bytes;  /* of the text of IPP_TEXT, or of data */
	const char *dtype; /* NumPy's, such as "<f8" */
	const uint64_t *shape;
	size_t n_dims;
	int fortran_order;  /* first index varies fastest */
	const void *data;   /* aligned to 8 bytes at least */
	const void *origin; /* libipp's own; NULL in values that you make */
};

struct ipp_call;
typedef int ipp_function(struct ipp_call *call);

/* What the worker does for a module; use the functions below. */
struct ipp_services {
	const struct ipp_value *(*argument)(const struct ipp_call *, const char *name);
	const struct ipp_value *(*variable)(const struct ipp_call *, const char *name);
	const struct ipp_value *(*item)(const struct ipp_call *);
	uint64_t (*index)(const struct ipp_call *);
	void **(*state)(struct ipp_call *, void (*release)(void *));
	int (*return_value)(struct ipp_call *, const struct ipp_value *);
	int (*fail)(struct ipp_call *, const char *text);
	int (*store)(struct ipp_call *, const char *name, const struct ipp_value *);
};

struct ipp_call {
	const struct ipp_services *services;
};

/* Argument or variable of that name; NULL when there is none.  Valid during the call. */
static inline const struct ipp_value *ipp_argument(const struct ipp_call *call, const char *name)
{
	return call->services->argument(call, name);
}

static inline const struct ipp_value *ipp_variable(const struct ipp_call *call, const char *name)
{
	return call->services->variable(call, name);
}

/* The map's item for this task, never NULL: IPP_INTEGER in a range, IPP_TEXT elsewhere, IPP_NONE in
 * a direct view.  Of a map over the rows of an array it is such a row, where it lies: a number of
 * an array of one axis, else an array of the other axes, aligned as its dtype needs.  It always has
 * a text: that of a number is its digits, that of an array or of IPP_NONE "". */
static inline const struct ipp_value *ipp_item(const struct ipp_call *call)
{
	return call->services->item(call);
}

/* Its place in the map, or the target's place in a direct view. */
static inline uint64_t ipp_index(const struct ipp_call *call)
{
	return call->services->index(call);
}

/* A pointer that is NULL at the first task of a call on this worker and keeps what is put there for
 * the following ones, such as work that all tasks share; `release` is called on it at the end. */
static inline void **ipp_state(struct ipp_call *call, void (*release)(void *))
{
	return call->services->state(call, release);
}

/* The result: copied.  They return 0, or what to return when there is no memory or the value is not
 * whole: a text is free of NULs and has at most 1 MiB, an array's bytes are those that its shape
 * and dtype take. */
static inline int ipp_return(struct ipp_call *call, const struct ipp_value *value)
{
	return call->services->return_value(call, value);
}

static inline int ipp_return_integer(struct ipp_call *call, int64_t integer)
{
	const struct ipp_value value = {.kind = IPP_INTEGER, .integer = integer};

	return ipp_return(call, &value);
}

static inline int ipp_return_real(struct ipp_call *call, double real)
{
	const struct ipp_value value = {.kind = IPP_REAL, .real = real};

	return ipp_return(call, &value);
}

/* Set variable `name` of this engine, copied, for functions that come later and for pull and
 * gather. What ipp_variable() gave for that name is not valid any more.  It outlives a crash of the
 * worker and goes when the engine ends; unlike what was pushed, nobody gives it to an engine that
 * was started again, nor an older value that had been pushed under that name: it is missing then.
 * A name has letters, digits and _ . - and begins with a letter or _.  Returns
 * 0, or what to return when it cannot. */
static inline int ipp_store(struct ipp_call *call, const char *name, const struct ipp_value *value)
{
	return call->services->store(call, name, value);
}

/* The task failed: one sentence that says why.  Returns what the function must return. */
static inline int ipp_fail_call(struct ipp_call *call, const char *text)
{
	return call->services->fail(call, text);
}

/* Argument `name`, which must be there and of that kind (an integer is a real, and a number's
 * digits are a text); of an array `dtype` too, unless it is NULL.  NULL: the task has failed with a
 * sentence that says what is wrong, and the function returns 1. */
static inline const struct ipp_value *ipp_need_argument(struct ipp_call *call, const char *name,
							enum ipp_kind kind, const char *dtype)
{
	static const char *const kinds[] = {"nothing", "an integer", "a real number", "a text",
					    "an array"};
	const struct ipp_value *value = ipp_argument(call, name);
	const char *wanted = kind == IPP_ARRAY && dtype ? dtype : "";
	const int fits = value &&
			 (value->kind == kind || (kind == IPP_REAL && value->kind == IPP_INTEGER) ||
			  (kind == IPP_TEXT && value->kind != IPP_ARRAY));
	char text[256];

	if (fits && (!*wanted || strcmp(value->dtype, wanted) == 0))
		return value;
	if (!value)
		snprintf(text, sizeof(text),
			 "the argument %.60s is missing: it is %s%s%s, given as %.60s=%s", name,
			 kinds[kind], *wanted ? " of " : "", wanted, name,
			 kind == IPP_ARRAY ? "@FILE.npy" : "VALUE");
	else
		snprintf(text, sizeof(text), "the argument %.60s must be %s%s%s, and is %s%s%.60s",
			 name, kinds[kind], *wanted ? " of " : "", wanted, kinds[value->kind],
			 value->kind == IPP_ARRAY ? " of " : "",
			 value->kind == IPP_ARRAY ? value->dtype : "");
	ipp_fail_call(call, text);
	return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
