/* proto/standard_fds.h - stdin, stdout and stderr, which whoever started us may have closed.
 *
 * What is opened next would take their place: a link, on which what is printed would then go out.
 * Thread: main(), before it opens anything. */
#ifndef IPP_PROTO_STANDARD_FDS_H
#define IPP_PROTO_STANDARD_FDS_H

#include <fcntl.h>

/* Open /dev/null in the place of those, the wrong way round: to read or write there fails with
 * EBADF, as it would have. */
static inline void standard_fds_fill(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", modes[fd]);
}

#endif
