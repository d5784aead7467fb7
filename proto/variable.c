#include "proto/variable.h"

#include <string.h>

#include "proto/error.h"
#include "proto/npy.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
static const char others[] = "0123456789.-";

int variable_check_name(const char *name, struct ipp_error *err)
{
	const size_t bytes = strlen(name);
	char shown[41];
	size_t at = 0;

	if (bytes > 0 && bytes <= VARIABLE_NAME_MAX && strchr(letters, name[0])) {
		while (name[at] && (strchr(letters, name[at]) || strchr(others, name[at])))
			at++;
		if (at == bytes)
			return 0;
	}
	for (at = 0; at < sizeof(shown) - 1 && name[at]; at++)
		shown[at] = name[at] >= ' ' && name[at] <= '~' ? name[at] : '?';
	shown[at] = '\0';
	return ipp_fail(err, EINVAL,
			"'%s' is no name for a variable or an argument: it takes "
			"letters, digits and _ . -, begins with a letter or _, and has at most %d "
			"characters",
			shown, VARIABLE_NAME_MAX);
}

static int check_array(const Ipp__Value *value, const struct blob *payload, struct ipp_error *err)
{
	const Ipp__Array *array = value->array;
	struct npy npy;
	int rc;

	if (!array)
		return ipp_fail(err, EINVAL, "slurm-ipp: variable '%s' has no value", value->name);
	rc = npy_init(&npy, array->dtype, array->n_shape, array->shape, array->fortran_order,
		      value->name, err);
	if (rc < 0)
		return ipp_failure(rc);
	if (array->bytes != npy.data_bytes || (payload ? payload->bytes : 0) < npy.data_bytes)
		return ipp_fail(err, EINVAL, "slurm-ipp: variable '%s' did not arrive whole",
				value->name);
	return 0;
}

int variable_check(const Ipp__Value *value, const struct blob *payload, struct ipp_error *err)
{
	int rc;

	if (!value || value->kind_case == IPP__VALUE__KIND__NOT_SET)
		return ipp_fail(err, EINVAL, "slurm-ipp: a variable came without a value");
	rc = variable_check_name(value->name, err);
	if (rc == 0 && value->kind_case == IPP__VALUE__KIND_TEXT &&
	    strlen(value->text) > VARIABLE_TEXT_MAX)
		rc = ipp_fail(
			err, EMSGSIZE,
			"slurm-ipp: variable '%s' is a text of %zu bytes, and %d is the most: "
			"make it an array of |u1",
			value->name, strlen(value->text), VARIABLE_TEXT_MAX);
	if (rc == 0 && value->kind_case == IPP__VALUE__KIND_ARRAY)
		rc = check_array(value, payload, err);
	return rc;
}
