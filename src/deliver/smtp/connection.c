#include "deliver/smtp/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/events/events.h"

/* ---- its life ---- */

struct connection *connection_new(const struct destination *d, const struct target *t, const struct settings *settings,
                                  slice queue_id)
{
    struct connection *c = xcalloc(1, sizeof *c);

    list_init(&c->idle);
    c->key = xstrndup(d->text.p, d->text.n);
    c->settings = settings;
    transcript_init(&c->transcript, settings->notice_classes & NOTICE_PROTOCOL);
    c->queue_id = queue_id;
    c->grow_old = deadline_in(settings->connection_reuse_time_limit_us);
    (void)snprintf(c->host, sizeof c->host, "%.*s", S_ARG(t->host));
    if (t->path.n > 0) {
        (void)snprintf(c->address, sizeof c->address, "%.*s", S_ARG(t->path));
    } else {
        endpoint_print(&t->address, c->address);
        c->port = endpoint_port(&t->address);
    }
    (void)snprintf(c->label, sizeof c->label, "%s[%.100s]", c->host, c->address);
    if (c->port != 0)
        (void)snprintf(c->relay, sizeof c->relay, "%s:%u", c->label, c->port);
    else
        (void)snprintf(c->relay, sizeof c->relay, "%s", c->label);
    return c;
}

void connection_close(struct connection *c, bool bye)
{
    if (bye && !c->broken && !c->said_quit && c->stream != NULL) /* also called by a timer: must not wait */
        (void)!send(stream_fd(c->stream), "QUIT\r\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
    timer_clear(&c->expiry);
    list_remove(&c->idle);
    stream_close(c->stream);
    transcript_done(&c->transcript);
    free(c->key);
    free(c);
}

void connection_note(struct connection *c, slice line)
{
    transcript_add(&c->transcript, false, line);
}

void connection_tell_postmaster(struct connection *c)
{
    AUTO_BUF struct buf before = BUF_INIT(1000);
    struct err err;

    (void)buf_addf(&before, "Unexpected response from %s.", c->relay);
    const struct transcript_notice n = {.who = c->settings->lmtp ? "LMTP client" : "SMTP client",
                                        .peer = slice_text(c->relay),
                                        .before = buf_text(&before)};
    if (!transcript_send(&c->transcript, &n, deadline_in(c->settings->params->ipc_timeout_us), &err))
        event_warning("notice to the postmaster about %s: %s", c->relay, err.text);
}

void connection_part(struct connection *c)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(64 * 1024);
    deadline by = deadline_in(c->settings->quit_timeout_us);
    struct reply reply;
    struct err err;

    if (!c->broken && !c->said_quit)
        connection_note(c, S("QUIT"));
    connection_tell_postmaster(c);
    if (c->broken || c->settings->skip_quit_response) {
        connection_close(c, true);
        return;
    }
    if (c->said_quit || stream_write(c->stream, S("QUIT\r\n"), by, &err)) {
        c->said_quit = true;
        if (stream_flush(c->stream, by, &err))
            (void)!connection_hear(c, &arena, c->settings->quit_timeout_us, &reply, &err); /* whatever it says */
    }
    connection_close(c, false);
}

/* ---- listening ---- */

static void tell_oddity(void *arg, enum reply_oddity what, slice text)
{
    struct connection *c = arg;

    switch (what) {
    case REPLY_LINE_LONG:
        event_warning("%s: response longer than %d: %.*s...", c->relay, REPLY_TEXT_MOST, S_ARG(slice_head(text, 30)));
        break;
    case REPLY_LONG:
        event_warning("%s: multi-line response longer than %d %.*s...", c->relay, REPLY_TEXT_MOST,
                      S_ARG(slice_head(text, 30)));
        break;
    case REPLY_STRAY:
        transcript_add(&c->transcript, true, text);
        transcript_blame(&c->transcript, NOTICE_PROTOCOL);
        if ((c->features & HAS_PIPELINING) == 0)
            break;
        event_warning("%.*s: non-%s response from %s: %.*s", S_ARG(c->queue_id), c->settings->lmtp ? "LMTP" : "ESMTP",
                      c->relay, S_ARG(slice_head(text, 100)));
        event_warning("to prevent loss of mail, turn off command pipelining for %s with the %s parameter", c->address,
                      c->settings->lmtp ? "lmtp_discard_lhlo_keyword_address_maps"
                                        : "smtp_discard_ehlo_keyword_address_maps");
        break;
    }
}

/* smtp_reply_filter */
static bool replace_line(void *arg, struct buf *line, struct err *err)
{
    const struct connection *c = arg;
    AUTO_BUF struct buf value = BUF_INIT(REPLY_TEXT_MOST);

    switch (client_map_ask(c->settings, MAP_REPLY, buf_slice(line), &value, err)) {
    case TABLE_FAILED:
        event_warning("%.*s: table %s lookup error for %s", S_ARG(c->queue_id),
                      tables_failed(c->settings->maps[MAP_REPLY].tables), buf_text(line));
        return err_set(err, ERR_TEMPORARY, "%s lookup error", c->settings->maps[MAP_REPLY].parameter);
    case TABLE_NOT_FOUND:
        return true;
    case TABLE_FOUND:
        break;
    }
    event_info("%s: replacing server reply \"%s\" with \"%s\"", c->relay, buf_text(line), buf_text(&value));
    buf_clear(line);
    (void)buf_add(line, buf_slice(&value));
    return true;
}

bool connection_hear(struct connection *c, struct arena *arena, int64_t timeout_us, struct reply *reply,
                     struct err *err)
{
    const struct reply_watch watch = {tell_oddity, client_map_is_empty(c->settings, MAP_REPLY) ? NULL : replace_line,
                                      c};

    slice rest, line;

    if (!reply_read(c->stream, arena, deadline_in(timeout_us), &watch, reply, err))
        return false;
    for (rest = reply->text; cut_field(&rest, '\n', &line);)
        if (reply_line_parse(line, &(struct reply_line){0})) /* what is none has been noted as it came */
            transcript_add(&c->transcript, true, line);
    return true;
}

bool connection_ask(struct connection *c, slice line, int64_t timeout_us, struct arena *arena, struct reply *reply,
                    struct err *err)
{
    deadline by = deadline_in(timeout_us);

    connection_note(c, line);
    return stream_write(c->stream, line, by, err) && stream_write(c->stream, S("\r\n"), by, err) &&
           stream_flush(c->stream, by, err) && connection_hear(c, arena, timeout_us, reply, err);
}
