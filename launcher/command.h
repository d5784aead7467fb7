/* launcher/command.h - the user's command. */
#ifndef IPP_LAUNCHER_COMMAND_H
#define IPP_LAUNCHER_COMMAND_H

#include <limits.h>

struct ipp_error;

#define EXIT_OURS 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

/* Where `name` is, by PATH as in a shell.  0, -ENOENT or -EACCES. */
int command_find(char path[PATH_MAX], const char *name, struct ipp_error *err);

/* Become the program at `path`.  Returns -errno only. */
int command_become(const char *path, char *const argv[], char *const envp[], struct ipp_error *err);

/* The exit code for what the two return, as in sh. */
int command_exit_code(int rc);

#endif
