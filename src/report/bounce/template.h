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
/* Takes those that TEXT, a template file, has.  Pure; slices point into TEXT.  ERR_SYNTAX names the line. */
MUST_CHECK bool templates_parse(slice text, struct templates *t, struct err *err);

/* Expands the names in a template's text: main.cf parameters, and delay_warning_time_UNIT, maximal_queue_lifetime_UNIT
 * with UNIT seconds, minutes, hours, days or weeks ("words" in built-in texts: "4 hours"). */
bool template_expand(const struct template *t, struct params *p, struct buf *out);

#endif
