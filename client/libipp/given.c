#include "client/libipp/given.h"

#include <errno.h>
#include <string.h>

#include "client/libipp/rows.h"
#include "proto/error.h"
#include "proto/variable.h"

int given_check(const char *name, const struct ipp_value *value, struct ipp_error *err)
{
	struct npy npy;
	const int rc = variable_check_name(name, err);

	if (rc == 0 && value->kind == IPP_ARRAY)
		return rows_describe(&npy, value, name, err);
	if (rc == 0 && value->kind == IPP_NONE)
		return ipp_fail(err, EINVAL, "'%s' has no value", name);
	if (rc == 0 && value->kind == IPP_TEXT && value->bytes > VARIABLE_TEXT_MAX)
		return ipp_fail(err, EMSGSIZE,
				"'%s' is a text of %zu bytes, and %d is the most: give it as an "
				"array, from a file with %s=@FILE",
				name, value->bytes, VARIABLE_TEXT_MAX, name);
	if (rc == 0 && value->kind == IPP_TEXT && strnlen(value->text, value->bytes) < value->bytes)
		return ipp_fail(
			err, EINVAL,
			"'%s' is a text of %zu bytes with a NUL among them, at %zu: make it "
			"an array of |u1",
			name, value->bytes, strnlen(value->text, value->bytes));
	return rc;
}
