/* receive/smtpd/session.h - one SMTP client: what is known of it, its transaction, and the pieces of the dialogue.
 *
 * A session is a task's local variable.  Functions that may suspend do so on the session's stream, cleanup, tables or
 * trivial-rewrite; all of them honour the session's deadlines.  A function returning false has ended the session (the peer is
 * gone, timed out, or was told to go); one returning true may have said anything to the client. */
#ifndef RECEIVE_SMTPD_SESSION_H
#define RECEIVE_SMTPD_SESSION_H

#include "core/base/arena.h"
#include "core/io/stream.h"
#include "mail/content/submit.h"
#include "mail/policy/policy.h"
#include "mail/proto/cleanup.h"

/* Commands in the order in which the disconnect line counts them; word, function, counted name. */
#define SMTPD_COMMANDS(C)                                                                                              \
    C(HELO, helo) C(EHLO, ehlo) C(MAIL, mail) C(RCPT, rcpt) C(DATA, data) C(RSET, rset) C(NOOP, noop) C(VRFY, vrfy)   \
    C(QUIT, quit)
#define COMMAND_ENUM(word, name) COMMAND_##word,
enum command { SMTPD_COMMANDS(COMMAND_ENUM) COMMAND_UNKNOWN, COMMAND_COUNT };

/* What all sessions of the process share. */
struct smtpd_world {
    struct params *params;
    struct policy *policy;
    struct address_client *resolver;
    slice banner;
    bool stress;
    unsigned overrides; /* receive_override_options: mail/proto/cleanup.h */
};

struct transaction {
    bool open;               /* MAIL was accepted */
    slice sender;            /* internal form */
    slice encoding;          /* "7bit", "8bit" or empty */
    int64_t announced_bytes; /* SIZE= */
    int64_t content_bytes;   /* of the message, as far as it came */
    int64_t arrival_us;
    unsigned number; /* of all messages of this process */
    unsigned recipients;
    slice first_recipient;
    struct submission submission;
    bool queued;             /* the submission is under way */
    unsigned overshoot;      /* recipients beyond the limit */
    bool held, discarded;    /* access tables said so */
    int64_t told_flags;      /* what cleanup knows of that */
    slice filter, redirect;
    struct bcc {
        struct bcc *next;
        slice address;
    } *bccs;
    struct prepend {
        struct prepend *next;
        slice line;
    } *prepends;
    bool saw_8bit;
};

struct session {
    const struct smtpd_world *world;
    struct stream *stream;
    struct arena arena;         /* as long as the session */
    struct arena message_arena; /* until the transaction ends */

    struct endpoint client, server;
    slice client_name, reverse_name, client_address, client_port, server_address, server_port;
    slice client_label; /* "name[addr]" */
    bool client_name_uncertain, reverse_name_uncertain; /* "unknown" because nobody could tell just now */
    bool in_mynetworks, is_own_address;
    bool local_context; /* local_header_rewrite_clients: headers are completed as for our own users */
    bool bare_newline_ok; /* excluded from the bare newline rules */
    bool saw_bare_newline;

    slice helo;         /* .p NULL before HELO */
    bool is_esmtp;
    enum command where; /* the last command: for "lost connection after" */
    bool before_command; /* nothing was received yet: "after CONNECT" */
    int64_t data_bytes; /* seen in DATA so far; -1: not in DATA */

    unsigned ok[COMMAND_COUNT], total[COMMAND_COUNT];
    unsigned errors, junk; /* since a message was taken */
    bool denied;           /* refused at CONNECT: nothing but QUIT is answered */
    bool pipelined;        /* talked ahead where it must not */
    bool is_limited;       /* what it does is counted */
    bool is_counted;       /* among the open connections */
    struct policy_deferral if_permit; /* from the lists asked before RCPT; text in ARENA */
    bool ended;
    struct transaction t;
};

/* Runs the whole dialogue on STREAM (which the caller closes). */
void session_run(const struct smtpd_world *world, struct stream *stream);

/* ---- peer.c ---- */
/* Finds out who is there: addresses, names by DNS (verified), networks. */
void peer_identify(struct session *s);

/* ---- limits.c: how often a client may come and ask, counted by anvil(8) for all smtpd processes ---- */
/* A new connection.  False: one too many, which has been said and logged. */
bool limits_connect(struct session *s);
/* A MAIL, RCPT or VRFY command.  False: the same. */
bool limits_message(struct session *s);
bool limits_recipient(struct session *s);
/* The end of the connection. */
void limits_disconnect(struct session *s);

/* ---- reply.c ---- */
/* Buffers one reply line ("250 2.1.0 Ok") and counts 4xx and 5xx as errors.  False: the stream is broken. */
bool session_say(struct session *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* Deadline for the next exchange with the client. */
deadline session_by(const struct session *s);
/* Logs "ID|NOQUEUE: VERB: WHERE from CLIENT: TEXT; from=<> to=<> proto= helo=<>".  RECIPIENT.p NULL: left out. */
void session_log_action(struct session *s, const char *verb, const char *where, slice text, slice recipient);
/* Refuses in the client's face and in the log: CODE DSN TEXT.  False: 421 or 521, the session ends. */
bool session_refuse(struct session *s, const char *where, const struct policy_answer *a, slice recipient);
/* "MAIL", "UNKNOWN" */
const char *session_command_word(enum command command);
/* Does the bare newline rule RULE ("reject", "note") hold for this client? */
bool session_bare_rule(const struct session *s, const char *rule);
/* smtpd_forbid_bare_newline = reject: the end of the session, with the reply and the log line. */
bool session_refuse_bare_newline(struct session *s, const char *where, slice recipient);
/* "lost connection after DATA (12 bytes) from CLIENT" and its kin. */
void session_log_lost(struct session *s, const char *what);
void session_log_disconnect(struct session *s);

/* ---- mail.c: MAIL, RCPT, and what ends a transaction ---- */
bool command_mail(struct session *s, slice arguments);
bool command_rcpt(struct session *s, slice arguments);
bool command_vrfy(struct session *s, slice arguments);
void transaction_reset(struct session *s);

/* ---- envelope.c: the records at the head of a message ---- */
/* Opens the submission at the first accepted recipient and logs client=.  False: cleanup cannot be reached; *ERR. */
bool envelope_begin(struct session *s, struct err *err);
bool envelope_recipient(struct session *s, slice recipient, struct err *err);
/* M and the Received header. */
bool envelope_content(struct session *s, struct err *err);
/* What the lists of the end of data asked for, and the end. */
bool envelope_end(struct session *s, struct err *err);

/* ---- data.c ---- */
bool command_data(struct session *s, slice arguments);

/* ---- check.c: restriction lists at their moment ---- */
/* True: go on; false: refused (the reply has been given); s->ended tells whether the session is over. */
bool check_client(struct session *s);
bool check_helo(struct session *s, slice name);
bool check_sender(struct session *s);
bool check_recipient(struct session *s, slice recipient, const char *where);
bool check_data(struct session *s, enum policy_list list, const char *where);

#endif
