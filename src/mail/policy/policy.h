/* mail/policy/policy.h - the smtpd_*_restrictions: may this client, helo, sender, recipient go on?
 *
 * policy_open() parses all lists and opens their tables (before chroot).  policy_ask() walks one list for one question and
 * may suspend (tables, trivial-rewrite).  It never logs: what must be logged beside the verdict comes back as notes.
 * An answer's texts live in the question's arena.  Source: postconf(5), access(5), SMTPD_ACCESS_README's facts. */
#ifndef MAIL_POLICY_POLICY_H
#define MAIL_POLICY_POLICY_H

#include "core/base/arena.h"
#include "core/net/endpoint.h"
#include "mail/address/client.h"
#include "mail/envelope/outcome.h"
#include "mail/params/params.h"

struct policy;

/* Opens everything.  NULL: *ERR names the parameter. */
struct policy *policy_open(struct params *params, struct err *err);
void policy_close(struct policy *p);
/* A table behind any list has changed; *NAME says which. */
bool policy_changed(void *policy, struct buf *name);

enum policy_list {
    POLICY_CLIENT, POLICY_HELO, POLICY_SENDER, POLICY_RELAY, POLICY_RECIPIENT, POLICY_DATA, POLICY_END_OF_DATA, POLICY_ETRN,
    POLICY_LISTS
};

struct policy_question {
    struct address_client *resolver;
    slice client_name, client_address; /* "unknown" when the name is; address as text */
    struct endpoint client;
    slice helo;
    slice sender, recipient;           /* internal form; .p NULL: not given yet */
    bool authenticated;
    struct arena *arena;
    deadline by;
    /* The recipient's resolution, filled at the first need. */
    struct resolved resolved;
    bool is_resolved;
};

enum policy_verdict {
    POLICY_DUNNO,  /* the list has no opinion */
    POLICY_PERMIT,
    POLICY_REFUSE, /* reply CODE DSN TEXT; 4xx or 5xx */
};

/* An action beside the verdict, in the order found. */
struct policy_note {
    struct policy_note *next;
    const char *verb; /* "hold", "discard", "warn", "info", "redirect", "filter", "prepend", "bcc", "reject_warning" */
    slice text;       /* for the log line: "<x>: Recipient address triggers HOLD action" */
    slice argument;   /* filter, redirect, header, address */
};

struct policy_answer {
    enum policy_verdict verdict;
    int code;
    struct dsn_code dsn;
    slice text;                /* "<x>: Relay access denied" */
    bool disconnect;           /* 421 and 521 end the session */
    struct policy_note *notes; /* oldest first */
};

/* Never fails: trouble with a table or a resolver is a POLICY_REFUSE with 451 4.3.0, bad configuration one with 451 4.3.5
 * "Server configuration error"; *WARNING then has what to log (empty otherwise). */
struct policy_answer policy_ask(struct policy *p, enum policy_list list, struct policy_question *q, struct buf *warning);

/* Is the recipient known (reject_unlisted_recipient)?  POLICY_DUNNO when it is or nobody can tell. */
struct policy_answer policy_listed_recipient(struct policy *p, struct policy_question *q, struct buf *warning);
/* The client is in mynetworks. */
bool policy_in_mynetworks(struct policy *p, struct policy_question *q);
/* The client is in smtpd_forbid_bare_newline_exclusions. */
bool policy_excludes_bare_newline(struct policy *p, struct policy_question *q);
/* Looks up something once in the recipient tables, so that connections behind them (proxymap) stand before a client waits. */
void policy_warm_up(struct policy *p, deadline by);

#endif
