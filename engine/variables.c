#include "engine/variables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

struct variable {
	struct variable *next;
	char *name, *text, *dtype;
	uint64_t *shape;
	struct blob *bytes;
	struct ipp_value value;
};

struct variables {
	struct variable *first;
};

struct variables *variables_new(void)
{
	return calloc(1, sizeof(struct variables));
}

static void variable_free(struct variable *variable)
{
	free(variable->name);
	free(variable->text);
	free(variable->dtype);
	free(variable->shape);
	blob_unref(variable->bytes);
	free(variable);
}

void variables_free(struct variables *variables)
{
	if (!variables)
		return;
	while (variables->first) {
		struct variable *next = variables->first->next;

		variable_free(variables->first);
		variables->first = next;
	}
	free(variables);
}

static int take_array(struct variable *variable, const Ipp__Array *array, struct blob *payload,
		      size_t *offset)
{
	const size_t payload_bytes = payload ? payload->bytes : 0;

	*offset += array_padding(*offset);
	if (*offset > payload_bytes || array->bytes > payload_bytes - *offset)
		return -EPROTO;
	variable->dtype = strdup(array->dtype);
	variable->shape = malloc((array->n_shape + 1) * sizeof(*variable->shape));
	if (!variable->dtype || !variable->shape)
		return -ENOMEM;
	if (array->n_shape)
		memcpy(variable->shape, array->shape, array->n_shape * sizeof(*variable->shape));
	variable->bytes = blob_ref(payload);
	variable->value = (struct ipp_value){.kind = IPP_ARRAY,
					     .text = "",
					     .bytes = array->bytes,
					     .dtype = variable->dtype,
					     .shape = variable->shape,
					     .n_dims = array->n_shape,
					     .fortran_order = array->fortran_order,
					     .data = payload ? payload->data + *offset : NULL};
	*offset += array->bytes;
	return 0;
}

static int take_value(struct variable *variable, const Ipp__Value *value, struct blob *payload,
		      size_t *offset)
{
	struct ipp_value *out = &variable->value;

	switch (value->kind_case) {
	case IPP__VALUE__KIND_INTEGER:
		if (asprintf(&variable->text, "%" PRId64, value->integer) < 0)
			return -ENOMEM;
		*out = (struct ipp_value){.kind = IPP_INTEGER,
					  .integer = value->integer,
					  .real = (double)value->integer,
					  .text = variable->text};
		return 0;
	case IPP__VALUE__KIND_REAL:
		if (asprintf(&variable->text, "%.17g", value->real) < 0)
			return -ENOMEM;
		*out = (struct ipp_value){
			.kind = IPP_REAL, .real = value->real, .text = variable->text};
		return 0;
	case IPP__VALUE__KIND_TEXT:
		variable->text = strdup(value->text);
		*out = (struct ipp_value){
			.kind = IPP_TEXT, .text = variable->text, .bytes = strlen(value->text)};
		return variable->text ? 0 : -ENOMEM;
	case IPP__VALUE__KIND_ARRAY:
		return take_array(variable, value->array, payload, offset);
	default:
		return -EPROTO;
	}
}

int variables_set(struct variables *variables, const Ipp__Value *value, struct blob *payload,
		  size_t *offset)
{
	struct variable *variable = calloc(1, sizeof(*variable));
	struct variable **at = &variables->first;
	int rc;

	if (!variable)
		return -ENOMEM;
	variable->name = strdup(value->name);
	rc = variable->name ? take_value(variable, value, payload, offset) : -ENOMEM;
	if (rc < 0) {
		variable_free(variable);
		return rc;
	}
	while (*at && strcmp((*at)->name, value->name) != 0)
		at = &(*at)->next;
	if (*at) {
		variable->next = (*at)->next;
		variable_free(*at);
	}
	*at = variable;
	return 0;
}

void variables_remove(struct variables *variables, const char *name)
{
	struct variable **at = &variables->first;
	struct variable *variable;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	variable = *at;
	if (!variable)
		return;
	*at = variable->next;
	variable_free(variable);
}

const struct ipp_value *variables_get(const struct variables *variables, const char *name)
{
	for (const struct variable *variable = variables->first; variable;
	     variable = variable->next)
		if (strcmp(variable->name, name) == 0)
			return &variable->value;
	return NULL;
}
