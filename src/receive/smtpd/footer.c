/* smtpd_reject_footer: what stands behind each refusal.  "\\n" in it begins another line of the reply, "\\c" at its front lets
 * it go on in the reply's own. */
#include <time.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/policy/template.h"
#include "mail/table/table.h"
#include "receive/smtpd/session.h"

enum { FOOTER_MOST = 16 * 1024 };

/* False: there is none for this REPLY. */
static bool find_template(const struct session *s, slice reply, struct buf *out)
{
    struct tables *maps = s->world->footer_maps;
    struct err err;

    if (maps != NULL && !tables_empty(maps))
        switch (tables_get(maps, reply, session_by(s), out, &err)) {
        case TABLE_FOUND:
            return true;
        case TABLE_FAILED:
            event_warning("%s lookup error for \"%.*s\"", tables_failed(maps), S_ARG(reply));
            break;
        case TABLE_NOT_FOUND:
            break;
        }
    buf_clear(out);
    (void)buf_add_text(out, s->world->params->smtpd_reject_footer);
    return out->n > 0;
}

static slice local_time(char to[32])
{
    time_t now = time(NULL);
    struct tm local;

    return slice_of(to, strftime(to, 32, "%b %d %H:%M:%S", localtime_r(&now, &local)));
}

static const char *unknown_name(void *unused, slice name)
{
    (void)unused;
    event_warning("unknown macro name \"%.*s\" in expansion request", S_ARG(name));
    return NULL;
}

static bool expand(const struct session *s, slice template, struct buf *out)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(4096);
    CLEANUP(reply_template_done) struct reply_template names;
    char now[32];
    struct err err;

    reply_template_init(&names, s->world->params, &arena);
    reply_template_set(&names, "client_address", s->client_address);
    reply_template_set(&names, "client_port", s->client_port);
    reply_template_set(&names, "localtime", local_time(now));
    reply_template_set(&names, "server_name", slice_text(s->world->params->myhostname));
    if (conf_expand(&names.values, unknown_name, NULL, "smtpd_reject_footer", template, out, &err))
        return true;
    event_warning("%s", err.text);
    return false;
}

static void add_line(struct buf *out, slice code, slice dsn, slice text, bool last)
{
    (void)buf_addf(out, "%.*s%c%.*s%.*s\r\n", S_ARG(code), last ? ' ' : '-', S_ARG(dsn), S_ARG(text));
}

/* "5.5.1 ", or nothing. */
static slice cut_status(slice *text)
{
    struct dsn_code dsn;
    slice rest = *text, status;

    if (!cut_dsn_code(&rest, &dsn) || !cut_char(&rest, ' '))
        return S("");
    status = slice_head(*text, text->n - rest.n);
    *text = rest;
    return status;
}

static slice cut_line(slice *text)
{
    size_t end = slice_find_slice(*text, S("\\n"));
    slice line = slice_head(*text, end);

    *text = end == SLICE_NONE ? S("") : slice_skip(*text, end + 2);
    return line;
}

void footer_add(const struct session *s, slice reply, struct buf *out)
{
    AUTO_BUF struct buf template = BUF_INIT(FOOTER_MOST), footer = BUF_INIT(FOOTER_MOST), first = BUF_INIT(FOOTER_MOST);
    slice code = slice_head(reply, 3), text = slice_skip(reply, 4), dsn = cut_status(&text), rest;
    bool more;

    if (find_template(s, reply, &template) && !expand(s, buf_slice(&template), &footer))
        buf_clear(&footer);
    rest = buf_slice(&footer);
    more = rest.n > 0;
    (void)buf_add(&first, text);
    if (cut_prefix(&rest, S("\\c"))) {
        more = slice_find_slice(rest, S("\\n")) != SLICE_NONE;
        (void)buf_add(&first, cut_line(&rest));
    }
    add_line(out, code, dsn, buf_slice(&first), !more);
    while (more) {
        more = slice_find_slice(rest, S("\\n")) != SLICE_NONE;
        add_line(out, code, dsn, cut_line(&rest), !more);
    }
}
