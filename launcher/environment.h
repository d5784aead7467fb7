/* launcher/environment.h - which variables go on to what the launcher starts. */
#ifndef IPP_LAUNCHER_ENVIRONMENT_H
#define IPP_LAUNCHER_ENVIRONMENT_H

/* The environment as it is now (gives the array, borrows the strings), to be put back by assigning
 * it to environ.  NULL when out of memory. */
char **environment_copy(void);

/* Take out of our own environment every variable that one of `patterns` (NULL-ended) names: a name
 * as it is, or the beginning of one and '*'. */
void environment_scrub(const char *const patterns[]);

/* What a task must not see: who crashes inside PMIx takes the step down, and who starts an srun
 * must not have it take our options. */
extern const char *const environment_not_for_tasks[];

/* What is for the launcher alone. */
extern const char *const environment_of_launcher[];

#endif
