/* mail/policy/list.h - restriction lists: parsed once, walked for each question. */
#ifndef MAIL_POLICY_LIST_H
#define MAIL_POLICY_LIST_H

#include "mail/policy/restriction.h"

/* Where parsed lists live and what they may use. */
struct list_parser {
    struct arena *arena;
    struct policy *policy;  /* for restriction classes */
    bool may_open;          /* tables and servers: not in the value of an access table */
    const char *bare_table; /* what a bare "type:name" means in this list: "check_client_access" */
    struct buf *warnings;   /* a line each for what will not work when it is reached; may be NULL */
    const char *parameter;  /* named in them; "": not */
};

/* False only when there is no memory, or braces do not match.  What is wrong with a single restriction is said when the
 * walk comes to it, as in Postfix. */
bool restriction_list_parse(const struct list_parser *parser, slice text, struct restriction_list *out,
                            struct err *err);
void restriction_list_close(struct restriction_list *list);
bool restriction_list_changed(const struct restriction_list *list, struct buf *name);

enum walk_result restriction_list_walk(struct walk *w, const struct restriction_list *list);
/* Parses and walks what an access table's value names. */
enum walk_result restriction_text_walk(struct walk *w, slice text, const char *table);
/* Does LIST refuse mail for strangers somewhere a client without rights gets to? */
bool restriction_list_guards(const struct restriction_list *list);

#endif
