#include "spank/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES_MOST 1000000
#define TIMEOUT_MOST_S (7 * 24 * 3600)
#define VARIABLE_BYTES 128
#define VALUE_BYTES 64

static struct options given;
static int (*on_asked)(void);

static int set_engines(const char *text);
static int set_timeout(const char *text);
static int set_interface(const char *text);

enum argument { ARGUMENT_NEEDED = 1, ARGUMENT_OPTIONAL = 2 }; /* as in getopt_long() */

/* clang-format off */
static const struct {
	const char *name, *value;
	enum argument argument;
	int (*set)(const char *text);   /* `text` is NULL where no value was given */
	const char *help;               /* Slurm prints an optional value as a required one */
	const char *wanted;
} options[] = {
	{ "ipp-engines", "N", ARGUMENT_OPTIONAL, set_engines,
	  "[ipp] start a controller, and an engine on each task or on the first N (--ipp-engines[=N]); "
	  "the command runs once, as their client",
	  "a number of engines from 1 to the number of tasks, or none for one engine a task" },
	{ "ipp-timeout", "SECONDS", ARGUMENT_NEEDED, set_timeout,
	  "[ipp] give up when the engines are not ready after this time (60)",
	  "a number of seconds, 1 or more" },
	{ "ipp-interface", "NAME", ARGUMENT_NEEDED, set_interface,
	  "[ipp] network interface by which engines reach the controller",
	  "the name of a network interface of the first node, such as ib0" },
};
/* clang-format on */
#define N_OPTIONS (int)(sizeof(options) / sizeof(options[0]))

unsigned options_number(const char *text, unsigned most)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return 0;
	number = strtoul(text, &end, 10);
	return *end || number > most ? 0 : (unsigned)number;
}

static int set_engines(const char *text)
{
	const unsigned number = text ? options_number(text, ENGINES_MOST) : 0;

	if (text && number == 0)
		return -1;
	given.asked = true;
	given.n_engines = number;
	return 0;
}

static int set_timeout(const char *text)
{
	const unsigned number = text ? options_number(text, TIMEOUT_MOST_S) : 0;

	if (number == 0)
		return -1;
	given.timeout_s = number;
	return 0;
}

static int set_interface(const char *text)
{
	if (!text || strlen(text) >= sizeof(given.interface))
		return -1;
	strcpy(given.interface, text);
	return 0;
}

static int on_option(int i, const char *text, int remote)
{
	/* Slurm writes "(null)" where no value was given: into the variables that sbatch exports,
	 * and so into what the srun in a script sees.  In slurmstepd it is first NULL and then "".
	 */
	const char *value = text && *text && strcmp(text, "(null)") != 0 ? text : NULL;

	if (options[i].set(value) < 0) {
		if (remote)
			return ESPANK_SUCCESS;
		slurm_error("ipp: --%s%s%s is no use: give %s", options[i].name, text ? "=" : "",
			    text ? text : "", options[i].wanted);
		return ESPANK_BAD_ARG;
	}
	if (options[i].set == set_engines && !remote && on_asked && on_asked() < 0)
		return ESPANK_BAD_ARG;
	return ESPANK_SUCCESS;
}

void options_register(spank_t spank, int (*asked)(void))
{
	on_asked = asked;
	for (int i = 0; i < N_OPTIONS; i++) {
		struct spank_option option = {/* which Slurm copies */
					      .name = (char *)options[i].name,
					      .arginfo = (char *)options[i].value,
					      .usage = (char *)options[i].help,
					      .has_arg = (int)options[i].argument,
					      .val = i,
					      .cb = on_option};
		const spank_err_t rc = spank_option_register(spank, &option);

		if (rc != ESPANK_SUCCESS)
			slurm_error("ipp: Slurm does not take --%s: %s", option.name,
				    spank_strerror(rc));
	}
}

const struct options *options_given(void)
{
	return &given;
}

static void variable_of(char name[VARIABLE_BYTES], const char *option)
{
	snprintf(name, VARIABLE_BYTES, "SLURM_SPANK__SLURM_SPANK_OPTION_ipp_%s", option);
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

void options_read_variables(spank_t spank)
{
	for (int i = 0; i < N_OPTIONS; i++) {
		char name[VARIABLE_BYTES], value[VALUE_BYTES];

		variable_of(name, options[i].name);
		if (spank_getenv(spank, name, value, sizeof(value)) == ESPANK_SUCCESS)
			on_option(i, value, 1);
	}
}

void options_forget_variables(spank_t spank)
{
	for (int i = 0; i < N_OPTIONS; i++) {
		char name[VARIABLE_BYTES];

		variable_of(name, options[i].name);
		spank_unsetenv(spank, name);
	}
}
