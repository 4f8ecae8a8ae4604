#include "deliver/smtp/body.h"

#include "mail/content/downgrade.h"
#include "mail/events/events.h"

struct body {
    struct connection *c;
    size_t line_most; /* smtp_line_length_limit */
    bool at_start;
    size_t column;
    bool warned;
};

static bool put(struct body *b, slice bytes, struct err *err)
{
    return stream_write(b->c->stream, bytes, task_deadline_in(b->c->settings->data_xfer_timeout_us), err);
}

static bool fold(struct body *b, struct err *err)
{
    if (!b->warned)
        event_info("%.*s: breaking line > %zu bytes with <CR><LF>SPACE", S_ARG(b->c->queue_id), b->line_most);
    b->warned = true;
    b->column = 1;
    return put(b, S("\r\n "), err);
}

static bool put_text(void *arg, slice text, bool ends, struct err *err)
{
    struct body *b = arg;

    if (b->at_start && text.n > 0 && text.p[0] == '.' && !put(b, S("."), err))
        return false;
    while (text.n > 0) {
        slice piece = slice_head(text, b->line_most - b->column);

        if (!put(b, piece, err))
            return false;
        b->at_start = false;
        b->column += piece.n;
        text = slice_skip(text, piece.n);
        if (b->column >= b->line_most && (text.n > 0 || !ends) && !fold(b, err))
            return false;
    }
    if (!ends)
        return true;
    b->at_start = true;
    b->column = 0;
    return put(b, S("\r\n"), err);
}

static bool needs_downgrade(const struct agent_request *r, const struct connection *c)
{
    return !(c->features & HAS_8BITMIME) && slice_eq_case(r->wire.encoding, S("8bit")) &&
           !c->settings->keeps_eight_bits;
}

static enum body_end send_as_is(struct queue_reader *reader, struct body *b, struct err *err)
{
    enum record_got got;
    slice text;
    bool ends;

    while ((got = queue_reader_text(reader, &text, &ends, err)) == RECORD_READ)
        if (!put_text(b, text, ends, err))
            return BODY_LOST;
    return got == RECORD_BAD ? BODY_CORRUPT : BODY_SENT;
}

static enum body_end send_downgraded(struct queue_reader *reader, struct body *b, struct err *err)
{
    const struct params *p = b->c->settings->params;
    AUTO_DOWNGRADE struct downgrade d;
    enum record_got got;
    slice text;
    bool ends;

    downgrade_init(&d, (size_t)p->header_size_limit, (size_t)p->mime_boundary_length_limit,
                   (unsigned)p->mime_nesting_limit);
    d.put = put_text;
    d.arg = b;
    while ((got = queue_reader_text(reader, &text, &ends, err)) == RECORD_READ)
        if (!downgrade_text(&d, text, ends, err))
            return BODY_LOST;
    if (got == RECORD_BAD)
        return BODY_CORRUPT;
    return downgrade_end(&d, err) ? BODY_SENT : BODY_LOST;
}

enum body_end body_send(struct agent_request *r, struct connection *c, struct err *err)
{
    AUTO_QUEUE_READER struct queue_reader *reader = agent_content(r, err);
    int limit = c->settings->line_length_limit;
    struct body b = {.c = c, .line_most = limit > 0 ? (size_t)limit : SIZE_MAX, .at_start = true};
    enum body_end end;

    if (reader == NULL)
        return BODY_CORRUPT;
    end = needs_downgrade(r, c) ? send_downgraded(reader, &b, err) : send_as_is(reader, &b, err);
    if (end == BODY_SENT && !b.at_start && !put(&b, S("\r\n"), err))
        return BODY_LOST;
    return end;
}
