/* ipp/error.h - what went wrong, in one sentence for people. */
#ifndef IPP_ERROR_H
#define IPP_ERROR_H

struct ipp_error {
	int code;	/* errno value, 0 when nothing failed */
	char text[512]; /* one sentence without a newline: who, what, why, and how to mend it */
};

#endif
