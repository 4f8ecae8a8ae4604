/* mail/policy/internal.h - what the files of this folder share. */
#ifndef MAIL_POLICY_INTERNAL_H
#define MAIL_POLICY_INTERNAL_H

#include "mail/policy/policy.h"
#include "mail/table/table.h"

struct restriction;

/* One element of a list: a restriction and its argument, e.g. check_client_access hash:/x. */
struct restriction_use {
    const struct restriction *what;
    slice name;           /* as written; in the policy's arena */
    struct table *access; /* check_*_access */
};

struct restriction_list {
    struct restriction_use *uses;
    size_t count;
};

struct policy {
    struct params *params;
    struct arena arena;
    struct restriction_list lists[POLICY_LISTS];
    struct match_list *mynetworks, *bare_newline_exclusions;
    struct tables *local_recipients, *virtual_aliases, *virtual_mailboxes, *relay_recipients, *canonical, *recipient_canonical;
};

/* One walk over one list. */
struct walk {
    struct policy *policy;
    struct policy_question *question;
    struct policy_answer answer;
    struct policy_note **tail;
    struct buf *warning;
    bool defer_if_permit, defer_if_reject, warn_if_reject;
    slice defer_text;
    int depth;
};

enum walk_result { WALK_ON, WALK_PERMIT, WALK_REFUSE };

struct restriction {
    const char *name;
    enum walk_result (*check)(struct walk *w, const struct restriction_use *use);
    bool takes_table;
    bool is_prefix;       /* says something of the next one: warn_if_reject */
    bool ends_list;       /* nothing behind it is reached */
    bool guards_relaying; /* keeps strangers from relaying */
};

/* NULL: no such restriction. */
const struct restriction *restriction_find(slice name);
enum walk_result restriction_list_walk(struct walk *w, const struct restriction_list *list);
/* Parses TEXT (a list or an access table's restriction names) into P's arena; opens tables. */
bool restriction_list_parse(struct policy *p, slice text, struct restriction_list *out, struct err *err);

/* Sets the refusal; returns WALK_REFUSE (or WALK_ON when warn_if_reject turns it into a note). */
enum walk_result walk_refuse(struct walk *w, int code, const char *dsn, const char *format, ...) PRINTF_LIKE(4, 5);
/* A table or resolver failed: 451 4.3.0, and *ERR into the warning. */
enum walk_result walk_trouble(struct walk *w, slice about, const char *what, const struct err *err);
/* Configuration: 451 4.3.5 Server configuration error. */
enum walk_result walk_misconfigured(struct walk *w, const char *format, ...) PRINTF_LIKE(2, 3);
void walk_note(struct walk *w, const char *verb, slice argument, const char *format, ...) PRINTF_LIKE(4, 5);
/* Fills question->resolved; false after walk_trouble(). */
bool walk_resolve(struct walk *w);

/* Acts on the right-hand side found in an access table.  ABOUT is what is refused ("x@y"), WHAT the words for it
 * ("Recipient address"). */
enum walk_result access_act(struct walk *w, slice value, const char *table, slice about, const char *what);
/* The look-ups of check_*_access. */
enum walk_result access_check_host(struct walk *w, struct table *t, slice name, slice address, slice about, const char *what);
enum walk_result access_check_domain(struct walk *w, struct table *t, slice name, slice about, const char *what);
enum walk_result access_check_mail(struct walk *w, struct table *t, slice address, slice about, const char *what);

enum walk_result listed_check(struct walk *w);

#endif
