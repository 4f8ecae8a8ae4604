#include "mail/smtp/reply.h"

#include "core/base/cut.h"

enum { REPLY_LINE_MOST = 2048, REPLY_LINES_MOST = 100 };

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

/* One line, cut at REPLY_LINE_MOST: what is longer still is this reply and no other. */
static enum stream_got read_line(struct stream *s, deadline by, struct buf *line, struct err *err)
{
    enum stream_got got;
    slice piece;

    buf_clear(line);
    do {
        got = stream_read_text(s, REPLY_LINE_MOST, by, &piece, err);
        if (got != STREAM_FAILED && got != STREAM_EOF && line->n == 0)
            (void)buf_add(line, piece);
    } while (got == (enum stream_got)STREAM_PIECE);
    return got;
}

bool reply_read(struct stream *s, struct arena *arena, deadline by, struct reply *out, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(REPLY_LINE_MOST * 4), raw = BUF_INIT(REPLY_LINE_MOST);
    struct reply_line line = {.last = false};
    struct reply reply = {0};

    for (int lines = 0; !line.last; lines++) {
        enum stream_got got = read_line(s, by, &raw, err);

        if (got == STREAM_FAILED)
            return false;
        if (got == STREAM_EOF)
            return err_set(err, ERR_PEER, "connection closed");
        if (lines == REPLY_LINES_MOST)
            return err_set(err, ERR_PEER, "reply of more than %d lines", REPLY_LINES_MOST);
        if (text.n > 0)
            (void)buf_add_char(&text, '\n'); /* past the buffer's end the rest of a huge reply is dropped */
        (void)buf_add(&text, buf_slice(&raw));
        if (!reply_line_parse(slice_trim_end(buf_slice(&raw)), &line))
            continue; /* not a reply line: its text is joined to what follows */
        reply.code = line.code;
        reply.dsn = line.dsn;
    }
    reply.has_dsn = reply.dsn.class != 0;
    if (!reply.has_dsn)
        reply.dsn = implied(reply.code);
    if (!arena_copy(arena, buf_slice(&text), &reply.text))
        return err_set(err, ERR_LIMIT, "no memory for a reply");
    *out = reply;
    return true;
}
