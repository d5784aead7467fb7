/* controller/survey.h - answers a client's STATUS: asks all engines how they are, and says what
 * they answered within a second.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_SURVEY_H
#define IPP_CONTROLLER_SURVEY_H

#include "proto/ipp.pb-c.h"

struct client;
struct engine;
struct ipp_error;

int survey_start(struct client *client, struct ipp_error *err); /* 0 or -ENOMEM */

/* The engine answered, or (NULL) it is lost. */
void survey_answer(struct engine *engine, const Ipp__Health *health);

/* The client is gone. */
void survey_drop(struct client *client);

#endif
