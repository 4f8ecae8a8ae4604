/* mail/content/transcript.h - what was said in an SMTP session, and the notice to the postmaster when something was wrong.
 *
 * notify_classes says which errors are worth it; nothing is kept when none is.  A transcript is part of its session; sending it
 * suspends.  Depends on: mail/content/submit. */
#ifndef MAIL_CONTENT_TRANSCRIPT_H
#define MAIL_CONTENT_TRANSCRIPT_H

#include "core/base/buf.h"
#include "mail/params/params.h"
#include "core/run/deadline.h"

enum notice_class {
    NOTICE_BOUNCE = 1,   /* a recipient, or a message, that nobody can take: to bounce_notice_recipient */
    NOTICE_POLICY = 2,   /* restrictions of ours */
    NOTICE_PROTOCOL = 4, /* commands and replies as they should not be */
    NOTICE_RESOURCE = 8,
    NOTICE_SOFTWARE = 16,
};

/* Is CLASS ("2bounce") in notify_classes? */
bool notice_class_is_wanted(const struct params *p, slice class);

struct transcript {
    unsigned wanted, errors; /* enum notice_class */
    struct buf text;
};

/* The classes of notify_classes that can occur in a session. */
unsigned transcript_classes(const struct params *p);
void transcript_init(struct transcript *t, unsigned wanted);
void transcript_done(struct transcript *t);
/* One line without its end; IS_IN: heard, else said. */
void transcript_add(struct transcript *t, bool is_in, slice line);
/* Something was wrong. */
void transcript_blame(struct transcript *t, enum notice_class class);

/* Forgets all so far. */
void transcript_forget(struct transcript *t);

struct transcript_notice {
    const char *who;    /* "SMTP server" */
    slice peer;         /* "name[addr]" */
    const char *before; /* a line in front of the transcript, or NULL */
    const char *after;  /* a line behind it, "" (an empty one), or NULL */
};
/* Sends it when errors that are wanted have occurred, and forgets all.  False: it could not be posted. */
MUST_CHECK bool transcript_send(struct transcript *t, const struct transcript_notice *n, deadline by, struct err *err);

#endif
