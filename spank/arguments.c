#include "spank/arguments.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spank/options.h"

#define TIMEOUT_DEFAULT_S 60
#define TIMEOUT_MOST_S (7 * 24 * 3600)
#define PORT_MOST 65535

static int set_text(char *into, size_t bytes, const char *text)
{
	if (!*text || strlen(text) >= bytes)
		return -1;
	strcpy(into, text);
	return 0;
}

static int set_libexec(struct arguments *arguments, const char *text)
{
	return text[0] == '/' ? set_text(arguments->libexec, sizeof(arguments->libexec), text) : -1;
}

static int set_ports(struct arguments *arguments, const char *text)
{
	char low[sizeof(arguments->ports)];
	const char *dash = strchr(text, '-');
	unsigned from, to;

	if (!dash || set_text(low, sizeof(low), text) < 0)
		return -1;
	low[dash - text] = '\0';
	from = options_number(low, PORT_MOST);
	to = options_number(dash + 1, PORT_MOST);
	if (from == 0 || to < from)
		return -1;
	return set_text(arguments->ports, sizeof(arguments->ports), text);
}

static int set_interface(struct arguments *arguments, const char *text)
{
	return set_text(arguments->interface, sizeof(arguments->interface), text);
}

static int set_timeout(struct arguments *arguments, const char *text)
{
	arguments->timeout_s = options_number(text, TIMEOUT_MOST_S);
	return arguments->timeout_s ? 0 : -1;
}

/* clang-format off */
static const struct {
	const char *key;
	int (*set)(struct arguments *arguments, const char *text);
	const char *wanted;
} rules[] = {
	{ "libexec=",   set_libexec,   "libexec=DIR, the absolute path of the folder of ipp-launch" },
	{ "ports=",     set_ports,     "ports=LO-HI, two port numbers such as ports=50000-50999" },
	{ "interface=", set_interface, "interface=NAME, a network interface such as interface=ib0" },
	{ "timeout=",   set_timeout,   "timeout=SECONDS, 1 or more" },
};
/* clang-format on */
#define N_RULES (sizeof(rules) / sizeof(rules[0]))

static void read_one(struct arguments *arguments, const char *text)
{
	for (size_t i = 0; i < N_RULES; i++) {
		const size_t bytes = strlen(rules[i].key);

		if (strncmp(text, rules[i].key, bytes) != 0)
			continue;
		if (rules[i].set(arguments, text + bytes) < 0)
			snprintf(arguments->trouble, sizeof(arguments->trouble),
				 "'%s' for spank_ipp.so in plugstack.conf cannot be: write %s",
				 text, rules[i].wanted);
		return;
	}
	snprintf(arguments->trouble, sizeof(arguments->trouble),
		 "unknown argument '%s' for spank_ipp.so in plugstack.conf: known are libexec=, "
		 "ports=, interface= and timeout=",
		 text);
}

void arguments_read(struct arguments *arguments, int argc, char *const argv[])
{
	*arguments = (struct arguments){.libexec = IPP_LIBEXECDIR, .timeout_s = TIMEOUT_DEFAULT_S};
	for (int i = 0; i < argc && !arguments->trouble[0]; i++)
		read_one(arguments, argv[i]);
}
