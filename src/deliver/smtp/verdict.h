/* deliver/smtp/verdict.h - what the end of a dialogue means for a recipient, in the field's words.
 *
 * Texts are made in ARENA.  Depends on: deliver/smtp/connection.h. */
#ifndef DELIVER_SMTP_VERDICT_H
#define DELIVER_SMTP_VERDICT_H

#include "deliver/smtp/connection.h"

/* How far a dialogue was when it ended, for "lost connection with X while ...". */
enum phase {
    PHASE_GREETING,
    PHASE_EHLO,
    PHASE_HELO,
    PHASE_XFORWARD_NAME,
    PHASE_XFORWARD_HELO,
    PHASE_MAIL,
    PHASE_RCPT,
    PHASE_DATA,
    PHASE_BODY,
    PHASE_DONE
};

/* Deferred: "lost connection with ...", or "conversation with ... timed out while ..."; ERR_TEMPORARY, a table of ours
 * that cannot be asked: "local data error while talking to ...". */
struct outcome verdict_lost(const struct connection *c, enum phase phase, const struct err *err, struct arena *arena);
/* "host X said: REPLY (in reply to COMMAND command)" */
struct outcome verdict_said(const struct connection *c, const struct reply *reply, const char *command,
                            struct arena *arena);
/* "host X refused to talk to me: REPLY".  TRY_LATER: a 5xx means the server, not the mail. */
struct outcome verdict_refused(const struct connection *c, const struct reply *reply, bool try_later,
                               struct arena *arena);
/* Our own judgement of what this server could do with the message: bounced with DSN and a reason. */
struct outcome verdict_unfit(const struct connection *c, struct dsn_code dsn, slice reason, struct arena *arena);

#endif
