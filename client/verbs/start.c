#include <getopt.h>
#include <stdio.h>

#include "client/verb.h"

#define TIMEOUT_S 60
#define ENGINES_MAX 4096

static int start(int argc, char **argv)
{
	static const struct option options[] = {
		{"engines", required_argument, NULL, 'n'},
		{"timeout", required_argument, NULL, 't'},
		{0},
	};
	uint64_t n = ipp_local_cpus(), timeout_s = TIMEOUT_S;
	struct ipp_error err;
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
		if (c == 'n')
			rc = verb_number("--engines", optarg, 1, ENGINES_MAX, &n, &err);
		else if (c == 't')
			rc = verb_number("--timeout", optarg, 1, 86400, &timeout_s, &err);
		else
			rc = verb_unknown_option("start", argc, argv, options, &err);
	}
	if (rc == 0 && optind < argc)
		return verb_misuse(&verb_start, "what is '%s'?", argv[optind]);
	if (rc == 0)
		rc = ipp_start((unsigned)n, (unsigned)timeout_s * 1000, &err);
	if (rc == 0)
		printf("%llu engine%s ready; ipp-run stop ends %s\n", (unsigned long long)n,
		       n == 1 ? " is" : "s are", n == 1 ? "it" : "them");
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_start = {
	.name = "start",
	.summary = "start engines on this machine, for many commands",
	.usage =
		"usage: ipp-run start [-n ENGINES] [--timeout SECONDS]\n"
		"Start engines on this machine, one for each CPU unless -n says otherwise; they "
		"stay until\n"
		"ipp-run stop.  What they say is in ~/.slurm-ipp/local-HOST.log.\n"
		"  -n, --engines ENGINES  as many\n"
		"  --timeout SECONDS      for them to be ready (60), and for another start or stop "
		"that is\n"
		"                         at work here; start ends five seconds later at the "
		"latest\n"
		"Exit code: 0, or 125 when one runs here already, or it was not ready in time.  "
		"Nothing is\n"
		"left of it then, nor when start is killed before it is ready.\n",
	.run = start,
};
