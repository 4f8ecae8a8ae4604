#include <time.h>

#include "core/base/clock.h"
#include "core/base/cut.h"
#include "mail/content/address_list.h"
#include "mail/content/rewriter_inner.h"
#include "mail/proto/cleanup.h"
#include "mail/syntax/address.h"
#include "mail/syntax/date.h"

#define KIND_BIT(kind) | header_bit(HEADER_##kind)
#define SENDER_HEADERS (0 HEADER_SENDERS(KIND_BIT))
#define RECIPIENT_HEADERS (0 HEADER_RECIPIENTS(KIND_BIT))
#define RESENT_HEADERS                                                                                            \
    (header_bit(HEADER_RESENT_BCC) | header_bit(HEADER_RESENT_CC) | header_bit(HEADER_RESENT_DATE) |              \
     header_bit(HEADER_RESENT_FROM) | header_bit(HEADER_RESENT_MESSAGE_ID) | header_bit(HEADER_RESENT_REPLY_TO) | \
     header_bit(HEADER_RESENT_SENDER) | header_bit(HEADER_RESENT_TO))
#define MIME_HEADERS                                                                                                   \
    (header_bit(HEADER_CONTENT_DESCRIPTION) | header_bit(HEADER_CONTENT_DISPOSITION) | header_bit(HEADER_CONTENT_ID) | \
     header_bit(HEADER_CONTENT_TRANSFER_ENCODING) | header_bit(HEADER_CONTENT_TYPE) | header_bit(HEADER_MIME_VERSION))
#define VISIBLE_RECIPIENT_HEADERS \
    (header_bit(HEADER_TO) | header_bit(HEADER_CC) | header_bit(HEADER_RESENT_TO) | header_bit(HEADER_RESENT_CC))

static bool has(const struct rewriter *w, uint64_t kinds)
{
    return (w->seen & kinds) != 0;
}

static bool is_dropped(const struct rewriter *w, enum header_kind kind, slice name)
{
    slice names = slice_text(w->rules->drop_names), each;

    if (kind != HEADER_OTHER)
        return (w->rules->drop_kinds & header_bit(kind)) != 0;
    while (cut_word(&names, ", \t\r\n", &each))
        if (slice_eq_case(each, name))
            return true;
    return false;
}

/* Rewrites the addresses of the list in place.  Header values of any size must do: the cap is the header's own, times
 * what tokens cost. */
static bool rewrite_list(struct rewriter *w, enum rewriter_address role, struct list_node *first, struct arena *arena,
                         deadline by, bool *changed, struct err *err)
{
    for (struct list_node *n = first; n != NULL; n = n->next) {
        slice text;

        if (n->kind != NODE_ADDRESS)
            continue;
        if (!w->hooks.address(w->hooks.context, role, n->text, arena, by, &text, err))
            return false;
        *changed = *changed || !slice_eq(text, n->text);
        n->text = text;
    }
    return true;
}

static bool address_header(struct rewriter *w, enum rewriter_address role, slice text, slice name, slice value,
                           deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(w->rules->header_most_bytes * 128 + 65536);
    AUTO_BUF struct buf printed = BUF_INIT(w->rules->header_most_bytes * 4 + 65536);
    int limit = w->rules->params->header_address_token_limit;
    struct list_node *list;
    bool changed = false;

    if (!address_list_parse(value, limit > 0 ? (size_t)limit : SIZE_MAX, &arena, &list))
        return err_set(err, ERR_LIMIT, "header %.*s: too many addresses", S_ARG(name));
    if (!rewrite_list(w, role, list, &arena, by, &changed, err))
        return false;
    if (!changed)
        return rewriter_emit_header(w, text, err);
    if (!address_list_print(name, list, w->rules->header_most_bytes, &printed))
        return err_set(err, ERR_LIMIT, "header %.*s: too long", S_ARG(name));
    return rewriter_emit_header(w, buf_slice(&printed), err);
}

/* False: no more of the message is wanted. */
static bool note_header(struct rewriter *w, enum header_kind kind, slice value)
{
    int limit = w->rules->params->hopcount_limit;

    w->seen |= header_bit(kind);
    if (kind == HEADER_MESSAGE_ID || kind == HEADER_RESENT_MESSAGE_ID) {
        while (value.n > 0 && ascii_is_space(value.p[0]))
            value = slice_skip(value, 1);
        if (kind == HEADER_MESSAGE_ID)
            w->any_message_id = true;
        w->hooks.message_id(w->hooks.context, value, kind == HEADER_RESENT_MESSAGE_ID);
    }
    return kind != HEADER_RECEIVED || ++w->received < (unsigned)limit || limit <= 0 ||
           w->hooks.reject(w->hooks.context, CLEANUP_HOPS, "hopcount exceeded");
}

/* Of the message itself, after checks. */
static bool primary_header(struct rewriter *w, slice text, deadline by, struct err *err)
{
    slice name, value;
    enum header_kind kind;

    if (!header_line_parse(text, &name, &kind, &value))
        return true;
    err_clear(err);
    if (kind != HEADER_OTHER && !note_header(w, kind, value))
        return false;
    if (is_dropped(w, kind, name))
        return true;
    if (w->facts.rewrite && (SENDER_HEADERS & header_bit(kind)) != 0)
        return address_header(w, REWRITER_SENDER, text, name, value, by, err);
    if (w->facts.rewrite && (RECIPIENT_HEADERS & header_bit(kind)) != 0)
        return address_header(w, REWRITER_RECIPIENT, text, name, value, by, err);
    return rewriter_emit_header(w, text, err);
}

static enum rewriter_line class_of(const struct rewriter *w, enum header_kind kind)
{
    if (w->mime.place == MIME_PART || (MIME_HEADERS & header_bit(kind)) != 0)
        return REWRITER_MIME_HEADER;
    return w->mime.place == MIME_PRIMARY ? REWRITER_HEADER : REWRITER_NESTED_HEADER;
}

bool rewriter_header(struct rewriter *w, slice text, deadline by, struct err *err)
{
    const struct params *p = w->rules->params;
    struct rewriter_text line = {text, S("")};
    slice name, value;
    enum header_kind kind;

    err_clear(err);
    if (!header_line_parse(text, &name, &kind, &value))
        return true;
    mime_header(&w->mime, kind, text, value);
    if (w->hooks.fault != NULL && (p->strict_7bit_headers || p->strict_8bitmime) && mime_has_eight_bits(text))
        w->hooks.fault(w->hooks.context, REWRITER_8BIT_HEADER, text);
    switch (rewriter_check(w, class_of(w, kind), &line, by, err)) {
    case REWRITER_DROP:
        return true;
    case REWRITER_STOP:
        return false;
    case REWRITER_KEEP:
        break;
    }
    return w->mime.place == MIME_PRIMARY ? primary_header(w, line.text, by, err)
                                         : rewriter_emit_header(w, line.text, err);
}

/* ---- what is missing ---- */

static bool add_message_id(struct rewriter *w, struct err *err)
{
    const struct params *p = w->rules->params;
    AUTO_BUF struct buf line = BUF_INIT(4096);
    char stamp[32] = "";
    size_t at;
    time_t now = (time_t)(clock_wall_us() / SECONDS(1));
    struct tm tm;

    if (!p->enable_long_queue_ids)
        (void)strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S.", gmtime_r(&now, &tm));
    (void)buf_addf(&line, "%sMessage-Id: ", w->resent ? "Resent-" : "");
    at = line.n;
    (void)buf_addf(&line, "<%s%.*s@%s>", stamp, S_ARG(w->facts.queue_id), p->myhostname);
    w->hooks.message_id(w->hooks.context, slice_skip(buf_slice(&line), at), w->resent);
    if (!w->resent)
        w->any_message_id = true;
    return rewriter_emit_header(w, buf_slice(&line), err);
}

static bool add_date(struct rewriter *w, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(200);
    char date[MAIL_DATE_MOST];

    mail_date_print(w->facts.arrival_seconds, date);
    (void)buf_addf(&line, "%sDate: %s", w->resent ? "Resent-" : "", date);
    return rewriter_emit_header(w, buf_slice(&line), err);
}

/* A display name, quoted when it has characters that a phrase may not have. */
static bool add_phrase(slice name, struct buf *out)
{
    bool quoted = slice_find_any(name, "()<>@,;:\\\".[]") != SLICE_NONE;

    if (!quoted)
        return buf_add(out, name);
    (void)buf_add_char(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"' || name.p[i] == '\\')
            (void)buf_add_char(out, '\\');
        (void)buf_add_char(out, name.p[i]);
    }
    return buf_add_char(out, '"');
}

static bool add_from(struct rewriter *w, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(1U << 22);
    slice name = slice_head(w->facts.full_name, slice_find(w->facts.full_name, '\0'));

    (void)buf_addf(&line, "%sFrom: ", w->resent ? "Resent-" : "");
    if (w->facts.sender.n == 0) {
        (void)buf_add(&line, S("MAILER-DAEMON"));
    } else if (name.n == 0) {
        (void)address_quote(w->facts.sender, &line);
    } else if (w->rules->obsolete_from) {
        (void)address_quote(w->facts.sender, &line);
        (void)buf_addf(&line, " (%.*s)", S_ARG(name));
    } else {
        (void)add_phrase(name, &line);
        (void)buf_add(&line, S(" <"));
        (void)address_quote(w->facts.sender, &line);
        (void)buf_add_char(&line, '>');
    }
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == '\r' || line.p[i] == '\n')
            line.p[i] = ' '; /* a name may have them */
    return rewriter_emit_header(w, buf_slice(&line), err);
}

static bool add_missing(struct rewriter *w, struct err *err)
{
    slice undisclosed = slice_text(w->rules->params->undisclosed_recipients_header);

    if (!has(w, header_bit(w->resent ? HEADER_RESENT_MESSAGE_ID : HEADER_MESSAGE_ID)) && !add_message_id(w, err))
        return false;
    if (!has(w, header_bit(w->resent ? HEADER_RESENT_DATE : HEADER_DATE)) && !add_date(w, err))
        return false;
    if (!has(w, header_bit(w->resent ? HEADER_RESENT_FROM : HEADER_FROM)) && !add_from(w, err))
        return false;
    return undisclosed.n == 0 || has(w, VISIBLE_RECIPIENT_HEADERS) || rewriter_emit_header(w, undisclosed, err);
}

bool rewriter_complete(struct rewriter *w, struct err *err)
{
    err_clear(err);
    w->resent = has(w, RESENT_HEADERS);
    if (w->received == 0)
        return w->hooks.reject(w->hooks.context, CLEANUP_BAD, "no Received: header");
    if (w->facts.complete && !add_missing(w, err))
        return false;
    if (!w->any_message_id)
        w->hooks.message_id(w->hooks.context, S("<>"), false);
    return true;
}
