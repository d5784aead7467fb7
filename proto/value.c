#include "proto/value.h"

#include <string.h>

#include "proto/npy.h"

void value_describe(const char *name, const struct ipp_value *value, Ipp__Value *head,
		    Ipp__Array *array)
{
	ipp__value__init(head);
	head->name = (char *)name;
	switch (value->kind) {
	case IPP_INTEGER:
		head->kind_case = IPP__VALUE__KIND_INTEGER;
		head->integer = value->integer;
		break;
	case IPP_REAL:
		head->kind_case = IPP__VALUE__KIND_REAL;
		head->real = value->real;
		break;
	case IPP_TEXT:
		head->kind_case = IPP__VALUE__KIND_TEXT;
		head->text = (char *)value->text;
		break;
	case IPP_ARRAY:
		ipp__array__init(array);
		array->dtype = (char *)value->dtype;
		array->n_shape = value->n_dims;
		array->shape = (uint64_t *)value->shape;
		array->fortran_order = value->fortran_order;
		array->bytes = value->bytes;
		head->kind_case = IPP__VALUE__KIND_ARRAY;
		head->array = array;
		break;
	case IPP_NONE:
		break;
	}
}

uint64_t value_array_bytes(const Ipp__Value *head)
{
	return head && head->kind_case == IPP__VALUE__KIND_ARRAY ? head->array->bytes : 0;
}

bool value_is_whole(const Ipp__Value *head)
{
	struct npy npy;

	if (!head || head->kind_case != IPP__VALUE__KIND_ARRAY)
		return true;
	return npy_init(&npy, head->array->dtype, head->array->n_shape, head->array->shape,
			head->array->fortran_order, "", NULL) == 0 &&
	       npy.data_bytes == head->array->bytes;
}

void value_read(const Ipp__Value *head, const uint8_t *array, struct ipp_value *out)
{
	*out = (struct ipp_value){.kind = IPP_NONE};
	if (!head)
		return;
	switch (head->kind_case) {
	case IPP__VALUE__KIND_INTEGER:
		*out = (struct ipp_value){.kind = IPP_INTEGER,
					  .integer = head->integer,
					  .real = (double)head->integer};
		break;
	case IPP__VALUE__KIND_REAL:
		*out = (struct ipp_value){.kind = IPP_REAL, .real = head->real};
		break;
	case IPP__VALUE__KIND_TEXT:
		*out = (struct ipp_value){
			.kind = IPP_TEXT, .text = head->text, .bytes = strlen(head->text)};
		break;
	case IPP__VALUE__KIND_ARRAY:
		*out = (struct ipp_value){.kind = IPP_ARRAY,
					  .bytes = head->array->bytes,
					  .dtype = head->array->dtype,
					  .shape = head->array->shape,
					  .n_dims = head->array->n_shape,
					  .fortran_order = head->array->fortran_order,
					  .data = array};
		break;
	default:
		break;
	}
}
