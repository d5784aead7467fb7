#include "controller/variables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/engine.h"
#include "controller/lead.h"
#include "proto/frame.h"

struct variable {
	struct variable *next;
	Ipp__Push *push; /* without targets */
	struct blob *payload;
};

static void variable_free(struct variable *variable)
{
	if (variable->push)
		ipp__push__free_unpacked(variable->push, NULL);
	blob_unref(variable->payload);
	free(variable);
}

static struct variable **place(struct engine *engine, const char *name)
{
	struct variable **at = &engine->variables;

	while (*at && strcmp((*at)->push->value->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static const struct variable *of_serial(const struct engine *engine, uint64_t serial)
{
	const struct variable *variable = engine->variables;

	while (variable && variable->push->serial != serial)
		variable = variable->next;
	return variable;
}

/* A copy (gives); NULL when out of memory. */
static Ipp__Push *push_copy(const Ipp__Push *push)
{
	const size_t bytes = ipp__push__get_packed_size(push);
	uint8_t *packed = malloc(bytes + 1);
	Ipp__Push *copy = NULL;

	if (packed)
		copy = ipp__push__unpack(NULL, ipp__push__pack(push, packed), packed);
	free(packed);
	return copy;
}

static bool has_variable(const struct engine *engine, uint64_t serial)
{
	return of_serial(engine, serial) != NULL;
}

static void tell(const struct engine *engine, const struct variable *variable)
{
	const struct engine *lead = lead_could_be(engine, variable->payload)
					    ? lead_of(engine, has_variable, variable->push->serial)
					    : NULL;
	Ipp__Push push = *variable->push;

	if (lead)
		push.lead = lead->share;
	link_send(engine->link, FRAME_PUSH, &push.base, lead ? NULL : variable->payload);
}

int variables_push(struct engine *engine, const Ipp__Push *push, uint64_t serial,
		   struct blob *payload)
{
	struct variable *variable = calloc(1, sizeof(*variable));
	Ipp__Push copied = *push;
	struct variable **at = place(engine, push->value->name);

	if (!variable)
		return -ENOMEM;
	copied.targets = NULL;
	copied.serial = serial;
	copied.lead = (char *)"";
	*variable = (struct variable){.push = push_copy(&copied), .payload = blob_ref(payload)};
	if (!variable->push) {
		variable_free(variable);
		return -ENOMEM;
	}
	if (*at) {
		variable->next = (*at)->next;
		variable_free(*at);
	}
	*at = variable;
	if (engine->link)
		tell(engine, variable);
	return 0;
}

void variables_restore(struct engine *engine,
		       void (*note_request)(struct engine *engine, uint64_t request))
{
	for (const struct variable *at = engine->variables; at; at = at->next) {
		note_request(engine, at->push->request);
		tell(engine, at);
	}
}

struct blob *variables_payload(const struct engine *engine, uint64_t serial)
{
	const struct variable *variable = of_serial(engine, serial);

	return variable ? variable->payload : NULL;
}

void variables_forget(struct engine *engine, const char *name)
{
	struct variable **at = place(engine, name);
	struct variable *variable = *at;

	if (!variable)
		return;
	*at = variable->next;
	variable_free(variable);
}

void variables_replaced(struct engine *engine, uint64_t serial)
{
	const struct variable *variable = of_serial(engine, serial);

	if (variable)
		variables_forget(engine, variable->push->value->name);
}

void variables_clear(struct engine *engine)
{
	while (engine->variables) {
		struct variable *next = engine->variables->next;

		variable_free(engine->variables);
		engine->variables = next;
	}
}
