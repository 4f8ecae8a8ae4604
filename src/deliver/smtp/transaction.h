/* deliver/smtp/transaction.h - one message over one connection: MAIL, RCPT, DATA, content, and who got it.
 *
 * Recipients are reported as soon as their fate is known; nobody is reported twice, and whoever was accepted before the
 * connection broke is TODO again. */
#ifndef DELIVER_SMTP_TRANSACTION_H
#define DELIVER_SMTP_TRANSACTION_H

#include "deliver/smtp/verdict.h"
#include "mail/agent/agent.h"

enum progress {
    RCPT_TODO,     /* not yet settled: another server may still be tried */
    RCPT_ACCEPTED, /* this server took it, the message is not yet through */
    RCPT_SETTLED,  /* reported */
};

struct delivery {
    struct agent_request *request;
    const struct settings *settings;
    enum progress *progress; /* per recipient */
    struct outcome *soft;    /* per recipient: the last temporary answer */
    size_t todo;             /* how many are RCPT_TODO */
    bool last_server;        /* nobody else is left to ask: temporary answers count */
    bool keep;               /* leave the connection usable for another message */
};

enum transaction_end {
    TRANSACTION_DONE,       /* the server has answered; recipients still TODO were refused for now */
    TRANSACTION_LOST,       /* the connection broke; *WHY is the outcome of those left */
    TRANSACTION_LOST_EARLY, /* broke before any answer (or with a 421 as the first one): an idle connection that had
                               gone stale */
};
MUST_CHECK enum transaction_end transaction_run(struct delivery *d, struct connection *c, struct outcome *why);

/* ---- settle.c ---- */
/* Reports recipient I and counts it settled. */
void delivery_settle(struct delivery *d, size_t i, const struct outcome *o);
/* What this server said of recipient I.  A temporary "no" waits for the next server, when there is one. */
void delivery_answer(struct delivery *d, size_t i, const struct outcome *o);
/* The same of all that are WHICH, told once in the log. */
void delivery_answer_all(struct delivery *d, enum progress which, const struct outcome *o);
/* It will not be the last word on a recipient, but the log has it. */
void delivery_tell_if_passing(const struct delivery *d, const struct outcome *o);

#endif
