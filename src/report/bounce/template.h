/* report/bounce/template.h - the words of notices: built in, or from bounce_template_file.  Source: bounce(5).
 *
 * A template is headers, an empty line and text with $names.  Depends on: core/base, mail/params. */
#ifndef REPORT_BOUNCE_TEMPLATE_H
#define REPORT_BOUNCE_TEMPLATE_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "mail/params/params.h"

enum template_kind { TEMPLATE_FAILURE, TEMPLATE_DELAY, TEMPLATE_SUCCESS, TEMPLATE_VERIFY, TEMPLATE_KINDS };

struct template {
    slice charset;
    slice from; /* empty: "MAILER-DAEMON" and its name, as header_from_format has it */
    slice subject, postmaster_subject, text;
};

struct templates {
    struct template of[TEMPLATE_KINDS];
};

/* The built-in ones. */
void templates_init(struct templates *t);
/* Takes those that TEXT, the template file FILE, has and that are good.  Pure; slices point into TEXT.  What is wrong goes to
 * WARNINGS, a line each. */
void templates_parse(slice text, const char *file, struct templates *t, struct buf *warnings);

/* Expands the names in a template's text: main.cf parameters, and delay_warning_time_UNIT, maximal_queue_lifetime_UNIT
 * with UNIT seconds, minutes, hours, days or weeks ("words" in built-in texts: "4 hours"). */
bool template_expand(const struct template *t, struct params *p, struct buf *out);
/* What stands behind "From: ". */
slice template_from(const struct template *t, const struct params *p);
/* Writes all of T to standard output as bounce_template_file has them, or, EXPANDED, their texts alone, as senders see them. */
bool templates_show(const struct templates *t, struct params *p, bool expanded);
/* "failure" */
const char *template_kind_name(enum template_kind kind);
/* The first time in T's text that is not 0 and whose unit makes it so, NAME and its UNIT; false: there is none. */
bool template_has_zero(const struct template *t, const struct params *p, slice *name, slice *unit);

#endif
