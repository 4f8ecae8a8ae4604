/* core/log/outlet.h - a datagram socket to a reader, and the lines that wait for it; the promises are log.h's.
 * For core/log alone. */
#ifndef CORE_LOG_OUTLET_H
#define CORE_LOG_OUTLET_H

#include <signal.h>

#include "core/base/buf.h"

struct outlet {
    const char *path; /* borrowed */
    int fd;           /* or -1 */
    bool connected;
    bool keeps;      /* somebody calls outlet_flush() */
    struct buf kept; /* lines for which the reader had no room, each behind its length */
    int64_t stalled_us;       /* waited since it last took a line */
    int64_t turn_us;          /* waited since outlet_flush() */
    int64_t refused_since_us; /* what is kept was not taken since; 0: it was not tried yet */
    volatile sig_atomic_t busy; /* in outlet_send(): a line of a signal handler must not touch what is kept */
};

void outlet_init(struct outlet *o);
/* Takes the first free descriptor.  A reader that is not there is not an error. */
void outlet_open(struct outlet *o);
/* True: LINE has gone out behind what was kept, or is kept itself.  Waits as log.h says. */
bool outlet_send(struct outlet *o, slice line);
/* Tries once to get out what is kept; true: nothing is left. */
bool outlet_flush(struct outlet *o);
/* Waits for the reader to take what is kept, up to a second without a line taken; drops the rest and returns how many lines
 * that were.  From then on nothing is kept. */
unsigned long outlet_finish(struct outlet *o);
void outlet_close(struct outlet *o);
/* In a forked child: what is kept is the parent's to send. */
void outlet_disown(struct outlet *o);

/* It has let a line wait for a second. */
bool outlet_is_dead(const struct outlet *o);
/* It has taken nothing of what is kept for a second, in which nobody need have waited. */
bool outlet_is_silent(const struct outlet *o);

#endif
