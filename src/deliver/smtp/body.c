#include "deliver/smtp/body.h"

#include "deliver/smtp/content.h"
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

/* Puts what nothing has to be done about, and for which there is room, in one go.  False: it is not so. */
static bool put_plain(struct body *b, slice text, bool ends)
{
    size_t n = text.n, room;
    char *to;

    if (text.n == 0 || b->column + text.n >= b->line_most || (b->at_start && text.p[0] == '.'))
        return false;
    to = stream_room(b->c->stream, text.n + 2, &room);
    if (room < text.n + 2)
        return false;
    memcpy(to, text.p, text.n);
    if (ends) {
        to[n++] = '\r';
        to[n++] = '\n';
    }
    stream_filled(b->c->stream, n);
    b->at_start = ends;
    b->column = ends ? 0 : b->column + text.n;
    return true;
}

static bool put_text(void *arg, slice text, bool ends, struct err *err)
{
    struct body *b = arg;

    if (put_plain(b, text, ends))
        return true;
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

/* Where the content goes: through what changes it, to the wire. */
struct way {
    bool (*put)(void *arg, slice text, bool ends, struct err *err);
    void *arg;
};

/* A table of ours that cannot be asked is no broken connection, but ends this one. */
static enum body_end send_through(struct queue_reader *reader, const struct way *way, struct err *err)
{
    enum record_got got;
    slice text;
    bool ends;

    while ((got = queue_reader_text(reader, &text, &ends, err)) == RECORD_READ)
        if (!way->put(way->arg, text, ends, err))
            return BODY_LOST;
    return got == RECORD_BAD ? BODY_CORRUPT : BODY_SENT;
}

static bool put_downgraded(void *arg, slice text, bool ends, struct err *err)
{
    return downgrade_text(arg, text, ends, err);
}

static enum body_end send_downgraded(struct queue_reader *reader, const struct params *p, const struct way *way,
                                     struct err *err)
{
    AUTO_DOWNGRADE struct downgrade d;
    enum body_end end;

    downgrade_init(&d, (size_t)p->header_size_limit, (size_t)p->mime_boundary_length_limit,
                   (unsigned)p->mime_nesting_limit);
    d.put = way->put;
    d.arg = way->arg;
    end = send_through(reader, &(struct way){put_downgraded, &d}, err);
    if (end != BODY_SENT)
        return end;
    return downgrade_end(&d, err) ? BODY_SENT : BODY_LOST;
}

static enum body_end send_to(struct agent_request *r, struct connection *c, struct queue_reader *reader,
                             const struct way *way, struct err *err)
{
    return needs_downgrade(r, c) ? send_downgraded(reader, c->settings->params, way, err)
                                 : send_through(reader, way, err);
}

static enum body_end send_changed(struct agent_request *r, struct connection *c, struct queue_reader *reader,
                                  const struct way *way, struct err *err)
{
    AUTO_CONTENT struct content content;
    enum body_end end;

    content_init(&content, c->settings, r->wire.queue_id);
    content.put = way->put;
    content.arg = way->arg;
    end = send_to(r, c, reader, &(struct way){content_text, &content}, err);
    if (end != BODY_SENT)
        return end;
    return content_end(&content, err) ? BODY_SENT : BODY_LOST;
}

enum body_end body_send(struct agent_request *r, struct connection *c, struct err *err)
{
    AUTO_QUEUE_READER struct queue_reader *reader = agent_content(r);
    int limit = c->settings->line_length_limit;
    struct body b = {.c = c, .line_most = limit > 0 ? (size_t)limit : SIZE_MAX, .at_start = true};
    const struct way wire = {put_text, &b};
    enum body_end end;

    end = content_is_changed(c->settings) ? send_changed(r, c, reader, &wire, err) : send_to(r, c, reader, &wire, err);
    if (end == BODY_SENT && !b.at_start && !put(&b, S("\r\n"), err))
        return BODY_LOST;
    return end;
}
