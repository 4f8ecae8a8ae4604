/* commands/postsuper/place.h - the queues, and what may be done in which. */
#ifndef COMMANDS_POSTSUPER_PLACE_H
#define COMMANDS_POSTSUPER_PLACE_H

#include "core/base/slice.h"
#include "mail/queue/id.h"

enum place_kind {
    PLACE_LOGS,     /* named after messages: any id */
    PLACE_MESSAGES, /* ids hold the inode */
    PLACE_SITES,    /* flush: named after sites */
};

struct place {
    slice name;
    enum place_kind kind;
};

/* In the order in which they are walked: logs first, then the way that a message goes, so that one which moves on
 * meanwhile is met again. */
enum { PLACE_COUNT = 9 };
extern const struct place places[PLACE_COUNT];

/* Which of the places were asked for: all when no one was. */
struct places_asked {
    bool named;
    bool asked[PLACE_COUNT];
};

/* False: there is no such place. */
bool places_ask(struct places_asked *a, slice name);
bool place_is_asked(const struct places_asked *a, const struct place *p);

#endif
