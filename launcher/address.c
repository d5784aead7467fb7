#include "launcher/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/error.h"

#define NAMES_BYTES 256

static const struct in_addr *v4(const struct sockaddr_storage *address)
{
	return &((const struct sockaddr_in *)address)->sin_addr;
}

static const struct in6_addr *v6(const struct sockaddr_storage *address)
{
	return &((const struct sockaddr_in6 *)address)->sin6_addr;
}

static bool is_same(const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
	if (one->ss_family != other->ss_family)
		return false;
	return one->ss_family == AF_INET6 ? IN6_ARE_ADDR_EQUAL(v6(one), v6(other))
					  : v4(one)->s_addr == v4(other)->s_addr;
}

/* Whether another node can use it. */
static bool is_reachable(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET) {
		const uint32_t bits = ntohl(v4(address)->s_addr);

		return bits != INADDR_ANY && bits >> 24 != IN_LOOPBACKNET && bits >> 16 != 0xa9fe;
	}
	return address->ss_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(v6(address)) &&
	       !IN6_IS_ADDR_LOOPBACK(v6(address)) && !IN6_IS_ADDR_LINKLOCAL(v6(address)) &&
	       !IN6_IS_ADDR_V4MAPPED(v6(address));
}

/* A copy without port and scope.  False when it is no IP address. */
static bool copy(struct sockaddr_storage *out, const struct sockaddr *from)
{
	*out = (struct sockaddr_storage){0};
	if (from && from->sa_family == AF_INET) {
		struct sockaddr_in *to = (struct sockaddr_in *)out;

		to->sin_family = AF_INET;
		to->sin_addr = ((const struct sockaddr_in *)from)->sin_addr;
		return true;
	}
	if (from && from->sa_family == AF_INET6) {
		struct sockaddr_in6 *to = (struct sockaddr_in6 *)out;

		to->sin6_family = AF_INET6;
		to->sin6_addr = ((const struct sockaddr_in6 *)from)->sin6_addr;
		return true;
	}
	return false;
}

static void add(struct addresses *out, const struct sockaddr_storage *address)
{
	if (!is_reachable(address) || out->n == ADDRESS_MOST)
		return;
	for (size_t i = 0; i < out->n; i++)
		if (is_same(&out->at[i], address))
			return;
	out->at[out->n++] = *address;
}

static void add_name(char names[NAMES_BYTES], const char *name)
{
	char padded[NAMES_BYTES + 4];

	snprintf(padded, sizeof(padded), ", %s,", names);
	for (char *at = padded; (at = strstr(at, name)); at++)
		if (at[-1] == ' ' && at[strlen(name)] == ',')
			return;
	if (strlen(names) + strlen(name) + 3 < NAMES_BYTES) {
		strcat(names, names[0] ? ", " : "");
		strcat(names, name);
	}
}

int addresses_find(struct addresses *out, const char *interface,
		   const struct sockaddr_storage *best, struct ipp_error *err)
{
	char names[NAMES_BYTES] = "", host[HOST_NAME_MAX + 1] = "this node";
	struct ifaddrs *list;
	bool known = false;

	*out = (struct addresses){0};
	if (interface && !*interface)
		interface = NULL;
	if (getifaddrs(&list) < 0)
		return ipp_fail(err, errno, "cannot list this node's addresses: %m");
	if (best && !interface)
		add(out, best);
	for (int pass = 0; pass < 2; pass++) {
		for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
			struct sockaddr_storage address;

			if (!(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
				continue;
			add_name(names, i->ifa_name);
			if (interface && strcmp(i->ifa_name, interface) != 0)
				continue;
			known = true;
			if (!copy(&address, i->ifa_addr))
				continue;
			if (pass == 1 || (best && is_same(&address, best)))
				add(out, &address);
		}
	}
	freeifaddrs(list);
	gethostname(host, sizeof(host));
	if (interface && !known)
		return ipp_fail(
			err, ENODEV,
			"%s has no network interface %s that is up; it has %s; choose another "
			"with --ipp-interface",
			host, interface, names[0] ? names : "none");
	if (out->n == 0)
		return ipp_fail(
			err, EADDRNOTAVAIL,
			"%s has no address%s%s that other nodes could reach; choose an interface with --ipp-interface",
			host, interface ? " on interface " : "", interface ? interface : "");
	return 0;
}

int address_resolve(struct sockaddr_storage *out, const char *host)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	bool found;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return -ENOENT;
	found = copy(out, list->ai_addr) && is_reachable(out);
	freeaddrinfo(list);
	return found ? 0 : -ENOENT;
}

void address_text(char text[ADDRESS_TEXT_BYTES], const struct sockaddr_storage *address,
		  uint16_t port)
{
	char number[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, v6(address), number, sizeof(number));
		snprintf(text, ADDRESS_TEXT_BYTES, "[%s]:%u", number, port);
	} else {
		inet_ntop(AF_INET, v4(address), number, sizeof(number));
		snprintf(text, ADDRESS_TEXT_BYTES, "%s:%u", number, port);
	}
}
