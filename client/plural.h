/* client/plural.h - "1 row", "2 rows".  Thread: any. */
#ifndef IPP_CLIENT_PLURAL_H
#define IPP_CLIENT_PLURAL_H

/* What follows the noun behind a number. */
static inline const char *plural(unsigned long long n)
{
	return n == 1 ? "" : "s";
}

#endif
