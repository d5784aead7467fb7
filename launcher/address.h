/* launcher/address.h - the addresses by which other nodes reach this one.
 *
 * Never loopback, never link-local.  Thread: any. */
#ifndef IPP_LAUNCHER_ADDRESS_H
#define IPP_LAUNCHER_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct ipp_error;

#define ADDRESS_MOST 16	      /* more than a node can have of use */
#define ADDRESS_TEXT_BYTES 64 /* "[fd00::1]:65535" and NUL */

struct addresses {
	size_t n;
	struct sockaddr_storage at[ADDRESS_MOST]; /* port 0; best first */
};

/* This machine's own.
 *   interface  only those of this interface; NULL or "": all
 *   best       put first, even when no interface here has it (a node behind a translating router);
 *              with `interface` only if it is among those.  NULL: none is best
 * 0; -ENODEV (no such interface; those there are, are named) or -EADDRNOTAVAIL (no address). */
int addresses_find(struct addresses *out, const char *interface,
		   const struct sockaddr_storage *best, struct ipp_error *err);

/* The first address of a host name or of a number as text.  0 or -ENOENT. */
int address_resolve(struct sockaddr_storage *out, const char *host);

/* "10.0.0.1:7711" or "[fd00::1]:7711". */
void address_text(char text[ADDRESS_TEXT_BYTES], const struct sockaddr_storage *address,
		  uint16_t port);

#endif
