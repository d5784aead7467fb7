#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/direct.h"

/* The whole file in memory (gives; munmap()). */
static int script_map(const char *path, const void **bytes, size_t *n, struct ipp_error *err)
{
	const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* it may be a pipe */
	struct stat status;
	void *map;

	if (fd < 0)
		return ipp_fail(err, errno, "ipp-run run: cannot read the script %s: %m", path);
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
		close(fd);
		return ipp_fail(err, EINVAL,
				"ipp-run run: %s is no script: it is empty, or no regular file",
				path);
	}
	map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return ipp_fail(err, errno, "ipp-run run: cannot read the script %s: %m", path);
	*bytes = map;
	*n = (size_t)status.st_size;
	return 0;
}

static int run_script(int argc, char **argv)
{
	struct direct direct = {0};
	struct ipp_run run = {0};
	char label[VERB_LABEL_BYTES];
	const void *bytes = NULL;
	struct ipp_error err;
	int rc = direct_options(&direct, &verb_run, argc, argv);

	if (rc != 0)
		return rc;
	if (argc == optind)
		return verb_misuse(&verb_run, "which script?");
	rc = script_map(argv[optind], &bytes, &run.script_bytes, &err);
	if (rc < 0)
		return verb_fail(&err);
	run.script = bytes;
	run.argv = (const char *const *)argv + optind;
	snprintf(label, sizeof(label), "run %s", argv[optind]);
	run.label = label;
	rc = direct_run(&direct, &run);
	munmap((void *)bytes, run.script_bytes);
	return rc;
}

const struct verb verb_run = {
	.name = "run",
	.summary = "run a script of this machine on each engine (direct view)",
	.usage = "usage: ipp-run run [--targets LIST] [--engines N] SCRIPT [ARGUMENT...]\n"
		 "Send the file SCRIPT to each engine, run it there with its #! line (without one "
		 "by /bin/sh), and\n"
		 "print what each wrote, in the order of the engines.  Nodes need not see the "
		 "file.  It runs in this\n"
		 "directory; its $0 is a name in /proc.\n" DIRECT_OPTIONS,
	.run = run_script,
};
