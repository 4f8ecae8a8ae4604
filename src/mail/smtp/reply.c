#include "mail/smtp/reply.h"

#include "core/base/cut.h"

bool reply_line_parse(slice line, struct reply_line *out)
{
    struct reply_line r = {.last = true};
    unsigned code;
    slice rest;

    if (!cut_uint(&line, 3, 3, &code))
        return false;
    r.code = (int)code;
    if (cut_char(&line, '-'))
        r.last = false;
    else if (line.n > 0 && !cut_char(&line, ' '))
        return false;
    rest = line;
    cut_blanks(&rest);
    if (cut_dsn_code(&rest, &r.dsn)) {
        if (r.dsn.class == r.code / 100) {
            cut_blanks(&rest);
            line = rest;
        } else {
            r.dsn = (struct dsn_code){0};
        }
    }
    r.text = line;
    *out = r;
    return true;
}

/* The codes a server without RFC 2034 implies; a code that no reply may have is a protocol error. */
static struct dsn_code implied(int code)
{
    return code >= 200 && code <= 599 ? (struct dsn_code){code / 100, 0, 0} : (struct dsn_code){5, 5, 0};
}

/* ---- a whole reply ---- */

struct reading {
    const struct reply_watch *watch;
    struct buf line, text;
    bool cut; /* some line found no room in TEXT */
};

static void tell(const struct reading *r, enum reply_oddity what, slice text)
{
    if (r->watch != NULL)
        r->watch->tell(r->watch->arg, what, text);
}

/* One line into r->line, of which what goes beyond REPLY_TEXT_MOST is read over: it is this reply and no other. */
static enum stream_got read_line(struct reading *r, struct stream *s, deadline by, struct err *err)
{
    enum stream_got got;
    bool too_long = false;
    slice piece;

    buf_clear(&r->line);
    do {
        got = stream_read_text(s, REPLY_TEXT_MOST - 1, by, &piece, err);
        if (got == STREAM_FAILED || got == STREAM_EOF)
            return got;
        too_long = too_long || (r->line.n > 0 && piece.n > 0);
        if (r->line.n == 0)
            (void)buf_add(&r->line, piece);
    } while (got == (enum stream_got)STREAM_PIECE);
    while (r->line.n > 0 && r->line.p[r->line.n - 1] == '\r')
        buf_truncate(&r->line, r->line.n - 1);
    buf_truncate(&r->line, strnlen(r->line.p != NULL ? r->line.p : "", r->line.n));
    if (too_long)
        tell(r, REPLY_LINE_LONG, buf_slice(&r->line));
    return got;
}

static void keep_line(struct reading *r)
{
    if (r->text.n > 0 && r->text.n + 1 + r->line.n > REPLY_TEXT_MOST) {
        if (!r->cut)
            tell(r, REPLY_LONG, buf_slice(&r->text));
        r->cut = true;
        return;
    }
    if (r->text.n > 0)
        (void)buf_add_char(&r->text, '\n');
    (void)buf_add(&r->text, buf_slice(&r->line));
}

static void reading_done(struct reading *r)
{
    buf_done(&r->line);
    buf_done(&r->text);
}
#define AUTO_READING CLEANUP(reading_done)

bool reply_read(struct stream *s, struct arena *arena, deadline by, const struct reply_watch *watch, struct reply *out,
                struct err *err)
{
    AUTO_READING struct reading r = {
        .watch = watch, .line = BUF_INIT(REPLY_TEXT_MOST), .text = BUF_INIT(REPLY_TEXT_MOST * 2)};
    struct reply_line line = {.last = false};
    struct reply reply = {0};

    while (!line.last) {
        enum stream_got got = read_line(&r, s, by, err);

        if (got == STREAM_FAILED)
            return false;
        if (got == STREAM_EOF)
            return err_set(err, ERR_PEER, "connection closed");
        if (watch != NULL && watch->replace != NULL && !watch->replace(watch->arg, &r.line, err))
            return false;
        if (!reply_line_parse(slice_trim_end(buf_slice(&r.line)), &line)) {
            tell(&r, REPLY_STRAY, buf_slice(&r.line));
            keep_line(&r);
            continue;
        }
        keep_line(&r);
        reply.code = line.code;
        reply.dsn = line.dsn;
    }
    reply.has_dsn = reply.dsn.class != 0;
    if (!reply.has_dsn)
        reply.dsn = implied(reply.code);
    if (!arena_copy(arena, buf_slice(&r.text), &reply.text))
        return err_set(err, ERR_LIMIT, "no memory for a reply");
    *out = reply;
    return true;
}
