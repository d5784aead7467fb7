/* tests/unit/folder.h - for tests that make a folder of their own: its removal. */
#ifndef IPP_TESTS_FOLDER_H
#define IPP_TESTS_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
				    struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* With all that is in it; 0 or -1. */
static inline int folder_remove(const char *path)
{
	return nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
