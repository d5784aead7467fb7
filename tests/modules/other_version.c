/* A module built against a header of the future. */
#include <ipp/module.h>

extern const uint32_t ipp_module_version;
const uint32_t ipp_module_version = IPP_MODULE_VERSION + 1;

ipp_function square;

int square(struct ipp_call *call)
{
	return ipp_return_integer(call, 1);
}
