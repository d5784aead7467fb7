/* engine/orphans.h - processes that dead ones left behind.
 *
 * Guard and engine are subreapers: what a dead worker or command leaves becomes their child, even
 * when it called setsid().  Linux only (/proc/PID/task/TID/children).  Thread: main. */
#ifndef IPP_ENGINE_ORPHANS_H
#define IPP_ENGINE_ORPHANS_H

#include <stdbool.h>
#include <sys/types.h>

/* From now on orphans below us become our children. */
void orphans_adopt(void);

/* Whether any process is below us. */
bool orphans_any(void);

/* Whether orphans_kill() may find one; false, too, where a spared session is in the way of that
 * look. */
bool orphans_any_to_kill(void);

/* Kill and reap all children, and theirs, but those that are spared; false when one is left, which
 * became another user's. */
bool orphans_kill(void);

/* Leave what is of the session led by our child `session` alone, until 0 is given. */
void orphans_spare(pid_t session);

#endif
