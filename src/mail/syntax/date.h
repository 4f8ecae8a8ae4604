/* mail/syntax/date.h - RFC 5322 dates as the field prints them: "Mon, 23 Nov 2026 17:18:24 +0000 (UTC)". Local time zone. */
#ifndef MAIL_SYNTAX_DATE_H
#define MAIL_SYNTAX_DATE_H

#include "core/base/buf.h"

enum { MAIL_DATE_MOST = 64 };
void mail_date_print(int64_t seconds, char to[MAIL_DATE_MOST]);

#endif
