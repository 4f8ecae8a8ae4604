/* mail/policy/template.h - replies that main.cf words: names in them stand for what is known of this client.
 *
 * Values are final: a "$" in one names nothing, and what smtpd_expansion_filter does not have becomes '_'.  Expand
 * `values` with conf_expand(). */
#ifndef MAIL_POLICY_TEMPLATE_H
#define MAIL_POLICY_TEMPLATE_H

#include "core/base/arena.h"
#include "core/conf/main_cf.h"
#include "mail/params/params.h"

enum { REPLY_TEMPLATE_MOST = 2000 };

struct reply_template {
    struct conf values;
    slice allowed; /* in the arena */
};

void reply_template_init(struct reply_template *t, const struct params *p, struct arena *arena);
void reply_template_done(struct reply_template *t);
void reply_template_set(struct reply_template *t, const char *name, slice value);

#endif
