/* spank/arguments.h - what the site says in plugstack.conf, after the plugin's path. */
#ifndef IPP_SPANK_ARGUMENTS_H
#define IPP_SPANK_ARGUMENTS_H

#include <limits.h>
#include <net/if.h>

struct arguments {
	char libexec[PATH_MAX];	     /* folder of ipp-launch and the other programs */
	char ports[16];		     /* "LO-HI"; "": any */
	char interface[IF_NAMESIZE]; /* "": all */
	unsigned timeout_s;
	char trouble[512]; /* "": all is well; else what is wrong, as one sentence */
};

/* Read them.  A mistake is remembered in `trouble` and held against those alone who use the plugin:
 * a plugin that fails while Slurm loads it would take down jobs that never asked for it. */
void arguments_read(struct arguments *arguments, int argc, char *const argv[]);

#endif
