/* proto/bystander.h - a process that a signal to a whole step is not meant for.
 *
 * scancel -s and sbatch --signal reach every process of a step, as does a terminal's Ctrl-C: that
 * is for the user's programs.  Thread: any. */
#ifndef IPP_PROTO_BYSTANDER_H
#define IPP_PROTO_BYSTANDER_H

#include <signal.h>
#include <stdbool.h>

/* Ignore every signal that can be ignored, but those that tell of a fault of this process or of its
 * children.  Ignored signals stay ignored over exec(). */
static inline void bystander_ignore_signals(void)
{
	static const int kept[] = {SIGCHLD, SIGCONT, SIGSEGV, SIGBUS,
				   SIGFPE,  SIGILL,  SIGSYS,  SIGTRAP};

	for (int number = 1; number < NSIG; number++) {
		bool ignored = true;

		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			ignored &= number != kept[i];
		if (ignored) /* KILL, STOP and two of glibc's own refuse it */
			signal(number, SIG_IGN);
	}
}

#endif
