/* proto/bystander.h - a process that a signal to a whole step is not meant for.
 *
 * scancel -s and sbatch --signal reach every process of a step, as does a terminal's Ctrl-C: that
 * is for the user's programs.  Thread: any. */
#ifndef IPP_PROTO_BYSTANDER_H
#define IPP_PROTO_BYSTANDER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether the signal is such a one: all are that do not tell of a fault of this process or of its
 * children.  KILL, STOP and two of glibc's own can be neither ignored nor caught. */
static inline bool bystander_is_for_others(int number)
{
	static const int own[] = {SIGCHLD, SIGCONT, SIGSEGV, SIGBUS,
				  SIGFPE,  SIGILL,  SIGSYS,  SIGTRAP};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (number == own[i])
			return false;
	return true;
}

/* Ignore them.  Ignored signals stay ignored over exec(). */
static inline void bystander_ignore_signals(void)
{
	for (int number = 1; number < NSIG; number++)
		if (bystander_is_for_others(number))
			signal(number, SIG_IGN);
}

#endif
