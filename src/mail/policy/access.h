/* mail/policy/access.h - what an access table says (access(5)): the look-up orders and the right-hand sides. */
#ifndef MAIL_POLICY_ACCESS_H
#define MAIL_POLICY_ACCESS_H

#include "mail/policy/walk.h"

/* Acts on a right-hand side, found under KEY in TABLE (a name for messages); also what policy servers answer. */
enum walk_result access_act(struct walk *w, slice value, const char *table, slice key, struct walk_subject subject);

/* The look-ups of check_*_access.  *FOUND: the table had something, whatever it said (DUNNO ends a search too). */
enum walk_result access_host(struct walk *w, struct table *t, slice name, slice address, struct walk_subject subject);
enum walk_result access_domain(struct walk *w, struct table *t, slice name, struct walk_subject subject, bool *found);
enum walk_result access_address(struct walk *w, struct table *t, slice address, struct walk_subject subject,
                                bool *found);
/* MAIL is the internal form. */
enum walk_result access_mail(struct walk *w, struct table *t, slice mail, struct walk_subject subject);

#endif
