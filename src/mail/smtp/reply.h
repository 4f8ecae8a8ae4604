/* mail/smtp/reply.h - SMTP replies: parsing what a server says, and building what ours says.  RFC 5321 4.2, RFC 2034.
 */
#ifndef MAIL_SMTP_REPLY_H
#define MAIL_SMTP_REPLY_H

#include "core/base/arena.h"
#include "core/io/stream.h"
#include "mail/envelope/outcome.h"

struct reply_line {
    int code;
    bool last;
    struct dsn_code dsn; /* zero: none */
    slice text;          /* behind code, separator and enhanced code */
};
/* Parses LINE, which is without its CRLF.  Pure.  False, *OUT untouched, when LINE is not a reply line.  Any three
 * digits are a code, also those that no server may send: taking such a line for none would make the next reply its
 * answer. */
bool reply_line_parse(slice line, struct reply_line *out);

struct reply {
    int code;
    struct dsn_code dsn; /* of the last line; class x.0.0 made up when the server gave none */
    bool has_dsn;
    slice text; /* all lines joined by '\n', each with its code: "250-a\n250 b"; in the arena, without NUL */
};

/* What is told of while a reply comes in, for the log of whoever reads it. */
enum reply_oddity {
    REPLY_LINE_LONG, /* a line of REPLY_TEXT_MOST bytes or more: TEXT is what is kept of it */
    REPLY_LONG, /* all lines together are: TEXT is the beginning; further lines are dropped but for the code of the last
                 */
    REPLY_STRAY, /* a line that is not a reply */
};
struct reply_watch {
    void (*tell)(void *arg, enum reply_oddity what, slice text);
    /* May put another line for LINE.  False: no reply can be had, *ERR.  NULL: lines stay as they are. */
    bool (*replace)(void *arg, struct buf *line, struct err *err);
    void *arg;
};
enum { REPLY_TEXT_MOST = 2048 };

/* Reads a whole reply; lines that are not replies are joined to it as the field does.  A line counts up to a NUL. WATCH
 * can be NULL.  ERR_PEER: closed; ERR_TIMEOUT; what WATCH sets. */
MUST_CHECK bool reply_read(struct stream *s, struct arena *arena, deadline by, const struct reply_watch *watch,
                           struct reply *out, struct err *err);

#endif
