/* deliver/smtp/content.h - what tables do to a message's content on its way out: smtp_header_checks and its kin, and
 * smtp_generic_maps in headers.
 *
 * Content goes in piece by piece, as the queue file has it, and comes out in the same way.  Source: header_checks(5).
 */
#ifndef DELIVER_SMTP_CONTENT_H
#define DELIVER_SMTP_CONTENT_H

#include "core/base/arena.h"
#include "deliver/smtp/settings.h"
#include "mail/content/follow.h"

struct content {
    struct follow follow;
    const struct settings *settings;
    slice queue_id;
    struct arena work; /* for one line */

    /* Takes what comes out; false: stop, with *ERR. */
    bool (*put)(void *arg, slice text, bool ends_line, struct err *err);
    void *arg;
};

/* Is there anything to do? */
bool content_is_changed(const struct settings *s);

void content_init(struct content *c, const struct settings *s, slice queue_id);
void content_done(struct content *c);
#define AUTO_CONTENT CLEANUP(content_done)

/* A piece of the message, which ends a line or goes on.  ERR_TEMPORARY: a table cannot be asked.  May suspend. */
MUST_CHECK bool content_text(void *content, slice text, bool ends_line, struct err *err);
/* There is no more. */
MUST_CHECK bool content_end(struct content *c, struct err *err);

#endif
