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
#include "mail/content/transcript.h"
#include "mail/policy/policy.h"
#include "mail/proto/cleanup.h"

/* Commands in the order in which the disconnect line counts them; word, function, counted name. */
#define SMTPD_COMMANDS(C)                                                                                              \
    C(HELO, helo) C(EHLO, ehlo) C(XCLIENT, xclient) C(XFORWARD, xforward) C(STARTTLS, starttls) C(AUTH, auth)          \
    C(MAIL, mail) C(RCPT, rcpt) C(DATA, data) C(BDAT, bdat) C(RSET, rset) C(NOOP, noop) C(VRFY, vrfy) C(ETRN, etrn)    \
    C(QUIT, quit)
#define COMMAND_ENUM(word, name) COMMAND_##word,
enum command { SMTPD_COMMANDS(COMMAND_ENUM) COMMAND_UNKNOWN, COMMAND_COUNT };

/* What all sessions of the process share. */
struct smtpd_world {
    struct params *params;
    struct policy *policy;
    struct address_client *resolver;
    struct match_list *xclient_hosts, *xforward_hosts, *verp_clients;
    struct tables *discard_keywords; /* smtpd_discard_ehlo_keyword_address_maps */
    struct tables *command_filter, *footer_maps;
    slice banner;
    bool stress;
    unsigned overrides; /* receive_override_options: mail/proto/cleanup.h */
    bool standalone; /* for the user at the other end of a pipe: nothing to find out, and nothing is refused to him */
};

/* A message in chunks. */
enum chunking {
    CHUNKING_NONE,
    CHUNKING_OPEN,  /* some have come, the last has not */
    CHUNKING_BROKEN /* one was refused: what follows is thrown away, up to the last or RSET */
};

struct transaction {
    bool open;               /* MAIL was accepted */
    slice sender;            /* internal form */
    slice encoding;          /* "7bit", "8bit" or empty */
    int64_t announced_bytes; /* SIZE= */
    int64_t content_bytes;   /* of the message, as far as it came */
    unsigned number; /* of all messages of this process */
    slice envelope_id;       /* ENVID=, decoded */
    int ret;                 /* RET_... */
    slice auth;              /* AUTH=, as given; .p NULL: none */
    slice verp;              /* XVERP: the two delimiters; empty: not asked for */
    bool smtputf8;
    int64_t arrival_us;
    struct intake *chunks;   /* content of BDAT so far; NULL: none has come */
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
};

/* What XFORWARD told of the client behind this client, for the log and the queue file. */
struct forwarded {
    bool client;                                  /* something of these was told */
    slice name, address, port, protocol, helo;
    slice ident;                                  /* its queue id; empty: not told */
    bool has_source, is_local;
};

struct session {
    const struct smtpd_world *world;
    struct stream *stream;
    struct arena arena;         /* as long as the session */
    struct arena identity_arena; /* until XCLIENT tells more */
    struct arena message_arena;  /* until the transaction ends */
    struct arena forwarded_arena; /* until the message of XFORWARD ends */

    struct endpoint client, server;
    slice client_name, reverse_name, client_address, client_port, server_address, server_port;
    slice client_label; /* "name[addr]" */
    bool client_name_uncertain, reverse_name_uncertain; /* "unknown" because nobody could tell just now */
    slice sasl_method, sasl_username; /* as XCLIENT said */
    struct forwarded forwarded;
    bool came_as_xforward; /* authorized when it connected, whoever it says it is by now */
    bool in_mynetworks, is_own_address;
    bool local_context; /* local_header_rewrite_clients: headers are completed as for our own users */
    bool bare_newline_ok; /* excluded from the bare newline rules */
    bool saw_bare_newline;

    slice helo;         /* .p NULL before HELO */
    char *helo_room;    /* where it is kept */
    size_t helo_room_bytes;
    unsigned discarded_keywords; /* KEYWORD_... bits that EHLO did not offer */
    enum chunking chunking;
    bool is_esmtp;
    enum command where; /* the last command: for "lost connection after" */
    bool before_command; /* nothing was received yet: "after CONNECT" */
    bool after_message;  /* the end of a message was, since the last command */
    int64_t data_bytes; /* seen in DATA so far; -1: not in DATA */

    unsigned ok[COMMAND_COUNT], total[COMMAND_COUNT];
    unsigned errors, junk; /* since a message was taken */
    bool denied;           /* refused at CONNECT: nothing but QUIT is answered */
    bool pipelined;        /* talked ahead where it must not */
    bool is_limited;       /* what it does is counted */
    bool is_counted;       /* among the open connections */
    struct policy_deferral if_permit; /* from the lists asked before RCPT; text in ARENA */
    struct transcript transcript;
    enum notice_class blame; /* of the next reply; 0: as its code has it */
    const char *aborted;     /* what ended it too early: "lost connection"; NULL */
    bool ended;
    struct transaction t;

    struct list in_process; /* all of them */
    struct task *task;
    bool is_at_rest; /* waits for a command, and no message is under way */
};

/* Runs the whole dialogue on STREAM (which the caller closes). */
void session_run(const struct smtpd_world *world, struct stream *stream);
/* The mail system is stopped.  Those that are not in the middle of a message are told to go, the others finish it, as long
 * as they go on talking. */
void sessions_stopping(void);

/* Nothing came from the client, for the reason ERR: logs it, and has a last word.  Returns false. */
bool session_read_failed(struct session *s, const struct err *err);

/* ---- world.c ---- */
/* Opens lists and tables, before chroot; WARNINGS gets lines for the log. */
bool world_open(struct smtpd_world *world, struct params *params, struct buf *warnings, struct err *err);
/* A table behind any of them has changed (for service_watch). */
bool world_changed(void *world, struct buf *name);

/* What TABLES say of KEY.  A table that fails has found nothing, and is warned of. */
bool session_look_up(const struct session *s, struct tables *tables, slice key, struct buf *value);

/* ---- dispatch.c ---- */
/* Runs the command in LINE. */
bool session_dispatch(struct session *s, slice line);
/* What has come before the greeting. */
bool session_note_early_talk(struct session *s);

/* ---- hello.c: HELO, EHLO ---- */
enum keyword_bits {
    KEYWORD_8BITMIME = 1, KEYWORD_AUTH = 2, KEYWORD_ETRN = 4, KEYWORD_PIPELINING = 8, KEYWORD_SIZE = 16,
    KEYWORD_VRFY = 32, KEYWORD_XCLIENT = 64, KEYWORD_XFORWARD = 128, KEYWORD_STARTTLS = 256,
    KEYWORD_ENHANCEDSTATUSCODES = 512, KEYWORD_DSN = 1024, KEYWORD_SMTPUTF8 = 2048, KEYWORD_CHUNKING = 4096, KEYWORD_VERP = 8192,
};
bool command_helo(struct session *s, slice arguments);
bool command_ehlo(struct session *s, slice arguments);
/* The name a client gives itself, bounded and without what would be special in a header. */
bool session_set_helo(struct session *s, slice name);
/* What would be special in a header or a log line becomes '?'. */
void session_neuter(const struct session *s, char *text, size_t n);
/* Is the extension spoken with this client? */
bool session_offers(const struct session *s, unsigned keyword);

/* ---- minor.c ---- */
bool command_rset(struct session *s, slice arguments);
bool command_noop(struct session *s, slice arguments);
bool command_quit(struct session *s, slice arguments);
bool command_starttls(struct session *s, slice arguments);
bool command_auth(struct session *s, slice arguments);
bool command_vrfy(struct session *s, slice arguments);

/* ---- etrn.c: asks flush(8) to send a site's mail ---- */
bool command_etrn(struct session *s, slice arguments);

/* ---- proxied.c: what a client in front of us knows of its own client ---- */
bool command_xclient(struct session *s, slice arguments);
bool command_xforward(struct session *s, slice arguments);
/* The message is over: what XFORWARD said of it, too. */
void forwarded_reset(struct session *s);
/* Is the client, as it is known now, in LIST? */
bool session_in_hosts(const struct session *s, struct match_list *list);
/* "name[addr]" of the client behind, or what is known of it. */
slice forwarded_label(struct session *s);

/* ---- peer.c ---- */
/* Finds out who is there: addresses, names by DNS (verified), networks. */
void peer_identify(struct session *s);
/* Name or address have changed: the label, and what depends on the address. */
void peer_describe(struct session *s);

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
/* ---- footer.c ---- */
/* Adds the lines of REPLY ("550 5.1.1 no"), which refuses, with smtpd_reject_footer behind it. */
void footer_add(const struct session *s, slice reply, struct buf *out);

/* Deadline for the next exchange with the client: smtpd_timeout, and a few seconds when the mail system is stopped. */
deadline session_by(const struct session *s);
/* Logs "ID|NOQUEUE: VERB: WHERE from CLIENT: TEXT; from=<> to=<> proto= helo=<>".  RECIPIENT.p NULL: left out. */
void session_log_action(struct session *s, const char *verb, const char *where, slice text, slice recipient);
/* Refuses in the client's face and in the log: CODE DSN TEXT.  False: 421 or 521, the session ends. */
bool session_refuse(struct session *s, const char *where, const struct policy_answer *a, slice recipient);
/* The recipient, when there is just one; else .p is NULL. */
slice session_only_recipient(const struct session *s);
/* "MAIL", "UNKNOWN" */
const char *session_command_word(enum command command);
/* Does the bare newline rule RULE ("reject", "note") hold for this client? */
bool session_bare_rule(const struct session *s, const char *rule);
/* smtpd_forbid_bare_newline = reject: the reply and the log line; 421 and 521 end the session. */
bool session_refuse_bare_newline(struct session *s, const char *where, slice recipient);
/* "lost connection after DATA (12 bytes) from CLIENT" and its kin. */
void session_log_lost(struct session *s, const char *what);
void session_log_disconnect(struct session *s);

/* ---- mail.c: MAIL, RCPT, and what ends a transaction ---- */
bool command_mail(struct session *s, slice arguments);
bool command_rcpt(struct session *s, slice arguments);
void transaction_reset(struct session *s);
/* The address at the front of *ARGUMENTS, where WORD ("FROM") and ':' come first; appended to OUT in internal form.  UTF8:
 * the domain may be beyond ASCII. */
enum path_got { PATH_GOOD, PATH_MISSING /* no WORD, or nothing behind it */, PATH_BAD, PATH_UNCLOSED /* no '>' */ };
enum path_got mail_path(const struct session *s, slice *arguments, slice word, bool utf8, struct buf *out);
/* The path that was at PATH and ended where REST begins, as it was given, without its brackets. */
slice mail_path_given(slice path, slice rest);
/* Are both parts of ADDRESS good ones? */
bool mail_address_good(slice address, bool utf8);
/* strict_smtputf8: an address beyond ASCII needs SMTPUTF8.  False: the reply has been given. */
bool mail_utf8_declared(struct session *s, slice address, bool utf8);

/* ---- envelope.c: the records at the head of a message ---- */
/* Opens the submission at the first accepted recipient and logs client=.  False: cleanup cannot be reached; *ERR. */
bool envelope_begin(struct session *s, struct err *err);
struct rcpt_parameters;
/* With ORCPT= as it is in WISHES: the client's, or what RCPT said. */
bool envelope_recipient(struct session *s, slice recipient, const struct rcpt_parameters *wishes, struct err *err);
/* M and the Received header. */
bool envelope_content(struct session *s, struct err *err);
/* What the lists of the end of data asked for, and the end. */
bool envelope_end(struct session *s, struct err *err);

/* ---- content.c: lines of content on their way to cleanup, and the end of them ---- */
struct intake {
    bool first;    /* no content yet */
    bool mailbox;  /* a leading "From " or blank is mended, as DATA does */
    bool bare;     /* a line ended in LF alone */
    bool too_big;
    bool broken;   /* cleanup does not take it any more, and will say why */
    struct buf rest;  /* BDAT: a line that has not ended yet */
    bool ended_in_cr; /* BDAT: so did the piece before */
    deadline by;      /* of the whole request, with smtpd_per_request_deadline */
};
/* smtpd_per_request_deadline: content has smtpd_timeout in all, and more for each second's worth (smtpd_min_data_rate) that has
 * come, but never more than that.  content_begin_request() starts the clock; otherwise each piece has the whole time. */
void content_begin_request(struct session *s, struct intake *in);
deadline content_by(const struct session *s, const struct intake *in);
void content_came(const struct session *s, struct intake *in, size_t bytes);
/* Everything that must hold before content is taken; then M and the Received header.  False: the reply has been given. */
bool content_begin(struct session *s);
/* A line up to its LF, without the CRs before that: they are part of the line's end. */
slice content_line(slice line);
/* One line, or (not WHOLE) a piece of one. */
void content_store(struct session *s, struct intake *in, slice text, bool whole);
/* Lines that are here already and nothing but content, as many as there are.  Never waits. */
void content_store_plain(struct session *s, struct intake *in);
/* The end: asks the lists, hands over to cleanup, and answers.  "250 2.0.0 Ok: NOTE queued as ID" */
bool content_end(struct session *s, const struct intake *in, const char *note);
/* The client went away, or was silent for too long. */
bool content_lost(struct session *s, const struct err *err);

/* ---- data.c, bdat.c ---- */
bool command_data(struct session *s, slice arguments);
bool command_bdat(struct session *s, slice arguments);

/* ---- check.c: restriction lists at their moment ---- */
/* True: go on; false: refused (the reply has been given); s->ended tells whether the session is over. */
bool check_client(struct session *s, const char *where);
bool check_etrn(struct session *s, slice site);
bool check_helo(struct session *s, slice name);
bool check_sender(struct session *s);
bool check_recipient(struct session *s, slice recipient, const char *where);
bool check_data(struct session *s, enum policy_list list, const char *where);

#endif
