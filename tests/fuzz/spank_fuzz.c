/* libFuzzer target: the plugin in slurmstepd, with all that a user or a site can hand it.
 * `spank_fuzz FILE` replays one input, which is texts with a NUL between them; the first byte of
 * each says what it is.  In Slurm's place there is what stands first here.
 * Whatever comes, nothing is refused on a node, and what a task gets to see has its bounds. */
#include <assert.h>
#include <slurm/spank.h>
#include <slurm/slurm.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "spank/arguments.h"
#include "spank/node.h"
#include "spank/options.h"

#define TEXTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct spank_option registered[8];
static int n_registered;
static uint32_t step;
static char *task_argv[TEXTS_MAX + 1];
static int task_argc;
static const char *forged[TEXTS_MAX]; /* values that the job's environment has */
static size_t n_forged, next_forged;

/* ---- Slurm ---- */

spank_err_t spank_option_register(spank_t spank, struct spank_option *option)
{
	(void)spank;
	registered[n_registered++] = *option;
	return ESPANK_SUCCESS;
}

spank_err_t spank_get_item(spank_t spank, spank_item_t item, ...)
{
	va_list into;

	(void)spank;
	va_start(into, item);
	if (item == S_JOB_STEPID) {
		*va_arg(into, uint32_t *) = step;
	} else if (item == S_JOB_ARGV) {
		*va_arg(into, int *) = task_argc;
		*va_arg(into, char ***) = task_argv;
	} else {
		*va_arg(into, uint32_t *) = 0;
	}
	va_end(into);
	return ESPANK_SUCCESS;
}

/* As in Slurm: what does not fit is cut and refused. */
spank_err_t spank_getenv(spank_t spank, const char *var, char *buf, int len)
{
	const char *text = next_forged < n_forged ? forged[next_forged++] : NULL;

	(void)spank;
	(void)var;
	if (!text)
		return ESPANK_ENV_NOEXIST;
	strncpy(buf, text, (size_t)len - 1);
	buf[len - 1] = '\0';
	return strlen(text) < (size_t)len ? ESPANK_SUCCESS : ESPANK_NOSPACE;
}

spank_err_t spank_setenv(spank_t spank, const char *var, const char *val, int overwrite)
{
	(void)spank;
	assert(overwrite && strncmp(var, "IPP_LAUNCH_", strlen("IPP_LAUNCH_")) == 0);
	if (strcmp(var, "IPP_LAUNCH_COMMAND") != 0)
		assert(strlen(val) < 32);
	return ESPANK_SUCCESS;
}

spank_err_t spank_unsetenv(spank_t spank, const char *var)
{
	(void)spank;
	(void)var;
	return ESPANK_SUCCESS;
}

const char *spank_strerror(spank_err_t err)
{
	(void)err;
	return "an error";
}

extern void slurm_error(const char *format, ...)
{
	(void)format;
}

/* ipp-launch is there, wherever it is looked for. */
int access(const char *name, int type)
{
	(void)name;
	(void)type;
	return 0;
}

/* Nobody lives on after the command. */
int nanosleep(const struct timespec *requested_time, struct timespec *remaining)
{
	(void)requested_time;
	(void)remaining;
	return 0;
}

/* ---- what comes ---- */

static void give_option(const char *text)
{
	struct spank_option *option = &registered[(unsigned char)text[0] % 3];
	const char *value = text[0] & 64 ? NULL : text + 1;

	assert(option->cb(option->val, value, 1) == ESPANK_SUCCESS);
	option->cb(option->val, value, 0);
}

static void run(char **texts, int n)
{
	static struct arguments arguments;
	char *site[TEXTS_MAX];
	int n_site = 0;

	memset((void *)options_given(), 0, sizeof(struct options));
	n_registered = task_argc = 0;
	n_forged = next_forged = 0;
	options_register(NULL, NULL);
	assert(n_registered == 3);
	task_argv[task_argc++] = (char *)"command";
	for (int i = 0; i < n; i++) {
		switch (texts[i][0] & 48) {
		case 0:
			site[n_site++] = texts[i] + 1;
			break;
		case 16:
			forged[n_forged++] = texts[i] + 1;
			break;
		case 32:
			task_argv[task_argc - 1] = texts[i] + 1;
			break;
		default:
			give_option(texts[i]);
			break;
		}
	}
	arguments_read(&arguments, n_site, site);
	assert(strlen(arguments.trouble) < sizeof(arguments.trouble));
	node_begin_step(NULL);
	if (!arguments.trouble[0]) /* else the task ends */
		node_prepare_task(NULL, &arguments);
	node_end_task(NULL);
	assert(options_given()->n_engines <= 1000000);
	assert(strlen(options_given()->interface) < sizeof(options_given()->interface));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *texts[TEXTS_MAX], *copy = malloc(bytes + 1);
	int n = 0;

	if (!copy)
		abort();
	if (bytes > 0) {
		step = data[0] & 1 ? SLURM_BATCH_SCRIPT : 0;
		memcpy(copy, data + 1, bytes - 1);
	}
	copy[bytes ? bytes - 1 : 0] = '\0';
	for (size_t at = 0; at + 1 < bytes && n < TEXTS_MAX; at += strlen(copy + at) + 1)
		if (copy[at])
			texts[n++] = copy + at;
	run(texts, n);
	free(copy);
	return 0;
}
