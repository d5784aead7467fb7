#include "spank/srun.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <slurm/spank.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spank/arguments.h"

/* What srun returns for an option that it refuses. */
#define EXIT_REFUSED 255
#define COMMAND_LINE_MOST (1 << 22) /* no exec takes more */

/* SLURM_MPI_TYPE as the user left it; "" when not set.  srun overwrites it with its own choice. */
static char users_mpi_type[64];

/* A plugin that is `optional` in plugstack.conf cannot refuse by its return value. */
#define refuse(...)                                                                                \
	do {                                                                                       \
		slurm_error("ipp: " __VA_ARGS__);                                                  \
		exit(EXIT_REFUSED);                                                                \
	} while (0)

/* srun's own arguments (gives; never freed: the process ends or becomes another); NULL on error. */
static char **command_line(int *argc)
{
	const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char *text = malloc(COMMAND_LINE_MOST + 1), **argv = NULL;
	ssize_t got = 0;
	size_t bytes = 0;
	int n = 0;

	while (fd >= 0 && text && bytes < COMMAND_LINE_MOST &&
	       (got = read(fd, text + bytes, COMMAND_LINE_MOST - bytes)) > 0)
		bytes += (size_t)got;
	if (fd >= 0)
		close(fd);
	if (got == 0 && bytes > 0)
		argv = calloc(bytes + 1,
			      sizeof(*argv)); /* an argument has a byte at least, its NUL */
	if (!argv) {
		free(text);
		return NULL;
	}
	text[bytes] = '\0';
	for (size_t at = 0; at < bytes; at += strlen(text + at) + 1)
		argv[n++] = text + at;
	*argc = n;
	return argv;
}

/* Whether `argument` is the long option `name`, cut no shorter than `least`; *value is what stands
 * behind its '=', or NULL. */
static bool is_option(const char *argument, const char *name, size_t least, const char **value)
{
	const char *equals = strchr(argument, '=');
	const size_t bytes = equals ? (size_t)(equals - argument) : strlen(argument);

	*value = equals ? equals + 1 : NULL;
	return bytes >= least && bytes <= strlen(name) && strncmp(argument, name, bytes) == 0;
}

static bool has_pmix(const char *mpi_type)
{
	return strncmp(mpi_type, "pmix", strlen("pmix")) == 0;
}

void srun_begins(void)
{
	const char *mpi_type = getenv("SLURM_MPI_TYPE");

	snprintf(users_mpi_type, sizeof(users_mpi_type), "%s", mpi_type ? mpi_type : "");
}

static void refuse_what_cannot_work(int argc, char **argv)
{
	const char *mpi_type = users_mpi_type, *whence = "SLURM_MPI_TYPE=";
	const char *value;

	/* srun stops reading options at its command: getopt's optind is there.  A value that looks
	 * like an option is taken for one, and the sentence tells. */
	for (int i = 1; i < optind && i < argc; i++) {
		if (is_option(argv[i], "--multi-prog", strlen("--mu"), &value))
			refuse("--multi-prog does not go with --ipp-engines: the command is the "
			       "client and runs once; leave one of the two out");
		if (is_option(argv[i], "--mpi", strlen("--mp"), &value)) {
			mpi_type = value ? value : i + 1 < argc ? argv[i + 1] : "";
			whence = "--mpi=";
		}
	}
	if (getenv("SLURM_MULTI_PROG"))
		refuse("SLURM_MULTI_PROG does not go with --ipp-engines: the command is the client "
		       "and runs once; unset it");
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], ":") == 0)
			refuse("--ipp-engines does not work in a heterogeneous step, which the ':' "
			       "makes it: give the engines a step of their own");
	if (mpi_type[0] && !has_pmix(mpi_type))
		refuse("%s%s gives the step no PMIx, by which engines find their controller: leave "
		       "it out, or say --mpi=pmix",
		       whence, mpi_type);
}

static void start_anew(int argc, char **argv)
{
	char self[PATH_MAX], set[64] = "";
	const ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	bool pty = false;
	const char *value;
	sigset_t none;

	for (int i = 1; i < optind && i < argc; i++)
		pty = pty || is_option(argv[i], "--pty", strlen("--pt"), &value);
	if (!users_mpi_type[0]) {
		setenv("SLURM_MPI_TYPE", "pmix", 1);
		strcat(set, "SLURM_MPI_TYPE ");
	}
	/* Else stdin goes to all tasks, and engines that do not read it stall it.  With --pty it
	 * goes to rank 0 anyway, and srun refuses the two together. */
	if (!pty && !getenv("SLURM_STDINMODE")) {
		setenv("SLURM_STDINMODE", "0", 1);
		strcat(set, "SLURM_STDINMODE ");
	}
	setenv(SRUN_SET_VARIABLE, set, 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (bytes > 0) {
		self[bytes] = '\0';
		execv(self, argv);
	}
	refuse("cannot start srun anew with PMIx: %m; say --mpi=pmix --input=0 yourself, and "
	       "set " SRUN_SET_VARIABLE "=none in the environment");
}

void srun_options_are_read(const struct arguments *arguments)
{
	char **argv;
	int argc;
	const char *set = getenv(SRUN_SET_VARIABLE);

	if (set) {
		/* The options are read: what was set for them is not for the tasks.  SLURM_MPI_TYPE
		 * is, until slurmstepd has read it. */
		if (strstr(set, "SLURM_STDINMODE"))
			unsetenv("SLURM_STDINMODE");
		return;
	}
	if (arguments->trouble[0])
		refuse("%s", arguments->trouble);
	argv = command_line(&argc);
	if (!argv)
		refuse("cannot read srun's own command line in /proc/self/cmdline: %m");
	refuse_what_cannot_work(argc, argv);
	start_anew(argc, argv);
}
