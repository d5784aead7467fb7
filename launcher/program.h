/* launcher/program.h - our own programs: where they lie, and how one is started beside us.
 *
 * What is started here must outlive a later exec of the user's command in this very process
 * without being its child (Python's os.wait() would return it) and without sharing its terminal:
 * it becomes a grandchild, in a session of its own, stdin /dev/null, stdout going to stderr, with
 * an empty signal mask and default handlers.
 * Thread: any; after fork only async-signal-safe calls are made. */
#ifndef IPP_LAUNCHER_PROGRAM_H
#define IPP_LAUNCHER_PROGRAM_H

#include <limits.h>
#include <stddef.h>

struct ipp_error;

/* Path of our program `name`: all lie in one folder, what is in bindir are links to them.  Programs
 * of users that start engines find that folder by the ipp-run in their PATH, or where it was to be
 * installed.  Returns 0, -ENOENT or -EACCES (it is not there, or cannot be executed). */
int program_path(char path[PATH_MAX], const char *name, struct ipp_error *err);

/* Start argv[0] (an absolute path) as a grandchild.
 *   envp  its environment; NULL: ours      keep  descriptors it inherits, under the same numbers
 * Returns a pidfd of it (gives; close-on-exec) once it runs, or -errno. */
int program_start(char *const argv[], char *const envp[], const int *keep, size_t n_keep,
		  struct ipp_error *err);

/* A descriptor that all programs started from now on inherit as well; -1: none. */
void program_hand_on(int fd);

/* Become argv[0] (an absolute path) with all descriptors above 2 closed, less `keep`.
 * Returns -errno only. */
int program_become(char *const argv[], char *const envp[], const int *keep, size_t n_keep,
		   struct ipp_error *err);

/* Empty signal mask, default handlers: slurmstepd leaves some signals blocked. */
void program_reset_signals(void);

#endif
