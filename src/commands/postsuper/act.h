/* commands/postsuper/act.h - what is done to messages, one by its id or all there are.
 *
 * Each message done to is said with a line, in `all` only counted.  The queue manager moves messages meanwhile: every
 * search goes over the queues twice, in the order in which messages move.  Nothing here suspends. */
#ifndef COMMANDS_POSTSUPER_ACT_H
#define COMMANDS_POSTSUPER_ACT_H

#include "commands/postsuper/place.h"

enum act { ACT_REQUEUE, ACT_DELETE, ACT_EXPIRE, ACT_HOLD, ACT_RELEASE, ACT_COUNT };
/* Sets of acts, carried out in this order on each message: 1 << ACT_EXPIRE | 1 << ACT_RELEASE. */

struct acting {
    const struct queue_layout *layout;
    const struct places_asked *where;
    unsigned asked; /* acts whose count is reported */
    int64_t count[ACT_COUNT];
};

/* To the message ID.  One that is not there is no error; one that is no id is warned of. */
void act_on_one(struct acting *a, unsigned acts, slice id);
/* To each id that stdin has, one a line. */
void act_on_input(struct acting *a, unsigned acts);
/* To all messages.  ACT_DELETE also removes logs that no message has. */
void act_on_all(struct acting *a, unsigned acts);
/* "Deleted: 3 messages" for each act that was asked for. */
void act_report(const struct acting *a);

/* "COUNT message(s)" after WHAT. */
void report_count(const char *what, int64_t count);

#endif
