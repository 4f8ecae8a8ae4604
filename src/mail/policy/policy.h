/* mail/policy/policy.h - the smtpd_*_restrictions: may this client, helo, sender, recipient go on?
 *
 * policy_open() parses all lists and opens their tables (before chroot).  policy_ask() walks one list for one question
 * and may suspend (tables, trivial-rewrite, "sleep").  It never logs: what must be logged beside the verdict comes back
 * as notes and warnings.  An answer's texts live in the question's arena.  Source: postconf(5), access(5),
 * SMTPD_ACCESS_README's facts. */
#ifndef MAIL_POLICY_POLICY_H
#define MAIL_POLICY_POLICY_H

#include "core/base/arena.h"
#include "core/net/endpoint.h"
#include "mail/address/client.h"
#include "mail/envelope/outcome.h"
#include "mail/params/params.h"

struct policy;

/* Opens everything.  What is wrong but does not keep the server from running (an unknown restriction answers 451 when
 * it is reached, as in Postfix) goes to WARNINGS, a line each; those that begin with "error: " are errors.  NULL: *ERR
 * says why. */
struct policy *policy_open(struct params *params, struct buf *warnings, struct err *err);
void policy_close(struct policy *p);
/* A table behind any list has changed; *NAME says which. */
bool policy_changed(void *policy, struct buf *name);

enum policy_list {
    POLICY_CLIENT,
    POLICY_HELO,
    POLICY_SENDER,
    POLICY_RELAY,
    POLICY_RECIPIENT,
    POLICY_DATA,
    POLICY_END_OF_DATA,
    POLICY_ETRN,
    POLICY_REWRITE_HEADERS, /* local_header_rewrite_clients: permitted means ours */
    POLICY_LISTS
};

/* "defer_if_permit": when nothing refuses in the end, this does.  The first one counts. */
struct policy_deferral {
    bool active;
    int code;
    struct dsn_code dsn;
    slice text;
};

/* What else policy servers are told; empty where there is none. */
struct policy_session {
    slice protocol_state, protocol_name; /* "RCPT", "ESMTP" */
    slice client_port, server_address, server_port, queue_id, stress;
    int64_t message_bytes;         /* announced; at the end of data, counted */
    int64_t arrival_us;            /* of the message; 0: there is none yet */
    unsigned message;              /* tells messages apart that arrived together */
};

struct policy_question {
    struct address_client *resolver;
    slice client_name, client_address; /* "unknown" when the name is; address as text */
    slice reverse_name;                /* what the address says its name is, verified or not */
    bool client_name_uncertain, reverse_name_uncertain; /* "unknown" because nobody could tell just now */
    struct endpoint client;
    slice helo;
    slice sender, recipient; /* internal form; .p NULL: not given yet */
    slice etrn_domain;
    bool authenticated;
    bool client_is_own_address; /* one of our interfaces */
    bool pipelined;             /* the client talked ahead where it must not */
    unsigned recipients;        /* taken so far */
    struct policy_session session;
    struct arena *arena;
    deadline by;
    /* Goes from one question of a command to the next. */
    struct policy_deferral if_permit;
    /* Filled at the first need. */
    struct policy_resolved {
        struct resolved found;
        bool done;
    } resolved_recipient, resolved_sender;
};

enum policy_verdict {
    POLICY_DUNNO, /* the list has no opinion */
    POLICY_PERMIT,
    POLICY_DISCARD, /* an access table throws the message away: nothing more needs to be asked about it */
    POLICY_REFUSE,  /* reply CODE DSN TEXT; 4xx or 5xx */
};

/* An action beside the verdict, in the order found. */
struct policy_note {
    struct policy_note *next;
    size_t warned; /* so much of WARNING was there before */
    const char
        *verb;      /* "hold", "discard", "warn", "info", "redirect", "filter", "prepend", "bcc", "reject_warning", ...;
                     * "": TEXT is a log line of its own */
    slice text;     /* for the log line: "<x>: Recipient address triggers HOLD action" */
    slice argument; /* filter, redirect, header, address */
};

struct policy_answer {
    enum policy_verdict verdict;
    int code;
    struct dsn_code dsn;
    slice text;                /* "<x>: Relay access denied" */
    bool disconnect;           /* 421 and 521 end the session */
    struct policy_note *notes; /* oldest first */
};

/* Never fails: trouble with a table or a resolver is a POLICY_REFUSE with 451 4.3.0, bad configuration one with
 * 451 4.3.5 "Server configuration error"; *WARNING then has what to log, a line each (empty otherwise). */
struct policy_answer policy_ask(struct policy *p, enum policy_list list, struct policy_question *q,
                                struct buf *warning);
/* The end of all lists of a command: POLICY_REFUSE when one of them asked to defer what would be permitted. */
struct policy_answer policy_settle(const struct policy_question *q);

/* Is the recipient, the sender known (reject_unlisted_recipient, reject_unlisted_sender)?  POLICY_DUNNO when it is or
 * nobody can tell. */
struct policy_answer policy_listed_recipient(struct policy *p, struct policy_question *q, struct buf *warning);
struct policy_answer policy_listed_sender(struct policy *p, struct policy_question *q, struct buf *warning);

/* Are the lists not even asked: "postmaster" without a domain (RFC 5321 section 4.5.1), and the sender of our own probes,
 * which other servers probe in turn? */
bool policy_takes_always(const struct policy *p, slice recipient);

/* Lists of clients that are not about access. */
enum policy_clients {
    POLICY_MYNETWORKS,
    POLICY_BARE_NEWLINE_OK, /* smtpd_forbid_bare_newline_exclusions */
    POLICY_NOT_LIMITED,     /* smtpd_client_event_limit_exceptions */
    POLICY_CLIENT_LISTS
};
bool policy_client_in(struct policy *p, enum policy_clients which, struct policy_question *q);
/* WORD is in smtpd_forbidden_commands. */
bool policy_forbids_command(struct policy *p, slice word, deadline by);
/* Looks up something once in the recipient tables, so that connections behind them (proxymap) stand before a client
 * waits. */
void policy_warm_up(struct policy *p, deadline by);

#endif
