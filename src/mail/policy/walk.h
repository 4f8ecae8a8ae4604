/* mail/policy/walk.h - one walk over one list: what every restriction works with.  Knows no restriction by name. */
#ifndef MAIL_POLICY_WALK_H
#define MAIL_POLICY_WALK_H

#include "mail/policy/policy.h"
#include "mail/table/table.h"

enum walk_result { WALK_ON, WALK_PERMIT, WALK_DISCARD, WALK_REFUSE };

/* Who is refused, and the words for it: {"x@y", "Recipient address"}. */
struct walk_subject {
    slice about;
    const char *what;
};

struct walk {
    const struct params *params;
    struct policy *policy;
    struct policy_question *question;
    struct policy_answer answer;
    struct policy_note **tail;
    struct buf *warning;
    enum policy_list list;
    struct walk_subject subject; /* of "reject", "defer": the list's own, or that of the table that names them */
    struct policy_deferral if_reject;
    bool warn_if_reject;
    bool dns_filtered; /* smtpd_dns_reply_filter has left nothing of the last answer */
    int depth;
    /* Walks the restrictions that an access table's value names; TABLE is for messages.  By pointer, since the walker
     * of lists stands above the restrictions. */
    enum walk_result (*walk_text)(struct walk *w, slice text, const char *table);
};

struct walk walk_begin(struct policy *p, const struct params *params, struct policy_question *q, struct buf *warning);
struct policy_answer walk_end(struct walk *w, enum walk_result r);
/* The walk is about to go over LIST: sets the subject. */
void walk_set_list(struct walk *w, enum policy_list list);

/* Sets the refusal "CODE DSN TEXT"; returns WALK_REFUSE (or WALK_ON when warn_if_reject turns it into a note). */
enum walk_result walk_refuse(struct walk *w, int code, struct dsn_code dsn, const char *format, ...) PRINTF_LIKE(4, 5);
/* The same with "<SUBJECT>: WHAT rejected: TEXT".  The code's class follows CODE; a status that speaks of the other
 * address (5.1.1 about a sender) is turned round, with a note. */
enum walk_result walk_reject(struct walk *w, int code, struct dsn_code dsn, struct walk_subject subject, slice text);
/* The lists cannot be kept to: 451 4.3.5 Server configuration error, and the text into the warnings. */
enum walk_result walk_misconfigured(struct walk *w, const char *format, ...) PRINTF_LIKE(2, 3);
/* An access table cannot be asked: the same about SUBJECT. */
enum walk_result walk_table_trouble(struct walk *w, const char *table, slice key, struct walk_subject subject,
                                    const struct err *err);
/* Nobody can tell now whether to refuse with "CODE DSN TEXT": ACTION, a *_tempfail_action, says whether to do so at once
 * ("defer") or only in the place of a permission ("defer_if_permit"). */
enum walk_result walk_uncertain(struct walk *w, const char *action, int code, struct dsn_code dsn, const char *format, ...)
    PRINTF_LIKE(5, 6);
/* Nobody can tell now: 451 4.3.0 <ABOUT>: Temporary lookup failure. */
enum walk_result walk_temporary(struct walk *w, slice about);
void walk_warn(struct walk *w, const char *format, ...) PRINTF_LIKE(2, 3);
void walk_note(struct walk *w, const char *verb, slice argument, const char *format, ...) PRINTF_LIKE(4, 5);
/* WALK_PERMIT, with a note "permit" when smtpd_log_access_permit_actions has ACTION.  TABLE: where it stands, or NULL. */
enum walk_result walk_permit(struct walk *w, slice action, struct walk_subject subject, const char *table);
/* Once both kinds of deferral are asked for, whatever comes is deferred: true, and *RESULT is what to return. */
bool walk_is_decided(struct walk *w, enum walk_result *result);
/* Remembers it when nothing else was remembered before. */
void walk_defer_if(struct walk *w, struct policy_deferral *which, int code, struct dsn_code dsn,
                   struct walk_subject subject, slice text);

/* The words for the four things a client gives. */
struct walk_subject walk_client(const struct walk *w);
struct walk_subject walk_helo(const struct walk *w);
struct walk_subject walk_sender(const struct walk *w);
struct walk_subject walk_recipient(const struct walk *w);
/* That of the list, or of the table that names restrictions. */
struct walk_subject walk_whatever(const struct walk *w);

/* Resolves the recipient, or the sender (never the empty one), as trivial-rewrite sees it; *TO lives as long as the
 * question. False: *RESULT is what to return then. */
bool walk_resolve_recipient(struct walk *w, const struct resolved **to, enum walk_result *result);
bool walk_resolve_sender(struct walk *w, const struct resolved **to, enum walk_result *result);

#endif
