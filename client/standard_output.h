/* client/standard_output.h - stdout, which knows of what it failed.
 *
 * Whoever shares the terminal or pipe with us may have made it non-blocking: writes wait for room.
 * stdio alone would lose what is written then, and keeps no errno of what went wrong.
 * Thread: that of main(). */
#ifndef IPP_CLIENT_STANDARD_OUTPUT_H
#define IPP_CLIENT_STANDARD_OUTPUT_H

/* Before anything is printed.  When out of memory stdout stays as it is. */
void standard_output_take(void);

/* errno of the first write that failed; 0: none did. */
int standard_output_failure(void);

#endif
