#include <stdlib.h>
#include <string.h>

#include "engine/forest/kernel.h"

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
static bool have_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
	       __builtin_cpu_supports("popcnt");
}

static bool have_avx512(void)
{
	return have_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi2");
}
#endif

static const struct {
	const struct kernel *kernel;
	bool (*supported)(void);
} kernels[] = {
#if defined(__x86_64__)
	{&kernel_avx512, have_avx512},
	{&kernel_avx2, have_avx2},
#endif
	{&kernel_scalar, always},
};

#define N_KERNELS (sizeof(kernels) / sizeof(kernels[0]))

const struct kernel *kernel_named(const char *name)
{
	for (size_t i = 0; i < N_KERNELS; i++) {
		if (strcmp(kernels[i].kernel->name, name) == 0 && kernels[i].supported())
			return kernels[i].kernel;
	}
	return NULL;
}

const struct kernel *kernel_choose(void)
{
	const char *const name = getenv("IPP_SIMD");
	const struct kernel *kernel = name ? kernel_named(name) : NULL;

	for (size_t i = 0; !kernel; i++) {
		if (kernels[i].supported())
			kernel = kernels[i].kernel;
	}
	return kernel;
}
