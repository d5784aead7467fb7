/* copy - how long one copy of a file into fresh memory takes, in milliseconds:
 *
 *	copy write FILE      from memory into a memfd's fresh pages with one write()
 *	copy sendfile FILE   from the file into a memfd, within the kernel */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

int main(int argc, char **argv)
{
	const int fd = argc == 3 ? open(argv[2], O_RDONLY) : -1;
	const int memory = memfd_create("copy", MFD_CLOEXEC);
	struct stat status;
	double begin;
	size_t bytes;
	char *data;

	if (fd < 0 || memory < 0 || fstat(fd, &status) < 0) {
		fputs("usage: copy write|sendfile FILE\n", stderr);
		return 1;
	}
	bytes = (size_t)status.st_size;
	data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		return 1;
	begin = now_ms();
	for (size_t done = 0; done < bytes;) {
		const ssize_t n = strcmp(argv[1], "write") == 0
					  ? write(memory, data + done, bytes - done)
					  : sendfile(memory, fd, NULL, bytes - done);

		if (n <= 0)
			return 1;
		done += (size_t)n;
	}
	printf("%.3f\n", now_ms() - begin);
	return 0;
}
