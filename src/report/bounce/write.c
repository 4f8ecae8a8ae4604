#include <stdarg.h>
#include <stdio.h>

#include "core/base/attributes.h"
#include "core/base/cut.h"
#include "mail/content/wrap.h"
#include "mail/events/events.h"
#include "mail/queue/reader.h"
#include "mail/syntax/address.h"
#include "mail/syntax/date.h"
#include "mail/syntax/xtext.h"
#include "report/bounce/report.h"

enum { INDENT = 4 };

enum { LINE_MOST_BYTES = 64 * 1024 };

/* Where one notice is being written. */
struct page {
    struct report *r;
    const struct params *p;
    enum audience audience;
    struct submission *s;
    deadline by;
    struct err *err;
    const char *encoding; /* Content-Transfer-Encoding, or NULL */
    bool global;          /* RFC 6533: the message was sent as SMTPUTF8 */
};

static bool line(struct page *g, slice text)
{
    return submit_record(g->s, RECORD_TEXT, text, g->by, g->err);
}

static bool PRINTF_LIKE(2, 3) linef(struct page *g, const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST_BYTES);
    char *to = buf_reserve(&text, LINE_MOST_BYTES - 1);
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(to, LINE_MOST_BYTES - 1, format, args);
    va_end(args);
    if (n < 0 || n >= LINE_MOST_BYTES - 1)
        n = n < 0 ? 0 : LINE_MOST_BYTES - 2;
    return line(g, slice_of(to, (size_t)n));
}

static bool wrapped(struct page *g, slice text)
{
    AUTO_BUF struct buf one = BUF_INIT(LINE_MOST_BYTES);
    bool first = true;

    while (text.n > 0) {
        wrap_next(&text, first, INDENT, &one);
        first = false;
        if (!line(g, buf_slice(&one)))
            return false;
    }
    return true;
}

static void add_clean(struct buf *out, slice s)
{
    for (size_t i = 0; i < s.n; i++)
        (void)buf_add_char(out, (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i]);
}

static void add_address(struct buf *out, slice internal)
{
    AUTO_BUF struct buf quoted = BUF_INIT(LINE_MOST_BYTES);

    (void)address_quote(internal, &quoted);
    add_clean(out, buf_slice(&quoted));
}

static bool is_ascii(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 126)
            return false;
    return true;
}

/* "<rcpt> (expanded from <orig>): " and nothing behind it. */
static void add_recipient(struct buf *out, const struct recipient *r)
{
    (void)buf_add_char(out, '<');
    add_address(out, r->address);
    (void)buf_add_char(out, '>');
    if (r->original.n > 0 && !slice_eq_case(r->original, r->address)) {
        (void)buf_add(out, S(" (expanded from <"));
        add_address(out, r->original);
        (void)buf_add(out, S(">)"));
    }
    (void)buf_add(out, S(": "));
}

/* ---- headers ---- */

static bool boundary(struct page *g, const char *format)
{
    AUTO_BUF struct buf mark = BUF_INIT(LINE_MOST_BYTES);

    (void)buf_addf(&mark, "%.*s.%lld/%s", S_ARG(g->r->queue_id), (long long)g->r->boundary_time, g->p->myhostname);
    switch (format[0]) {
    case '"':
        return linef(g, "\tboundary=\"%s\"", buf_text(&mark));
    case 'e':
        return linef(g, "--%s--", buf_text(&mark));
    default:
        return linef(g, "--%s", buf_text(&mark));
    }
}

static bool write_headers(struct page *g, const struct template *t, slice to)
{
    AUTO_BUF struct buf address = BUF_INIT(LINE_MOST_BYTES);
    bool for_sender = g->audience == FOR_SENDER;
    slice subject = for_sender || t->postmaster_subject.n == 0 ? t->subject : t->postmaster_subject;

    add_address(&address, to);
    return linef(g, "From: %.*s", S_ARG(template_from(t, g->p))) && linef(g, "Subject: %.*s", S_ARG(subject)) &&
           linef(g, "To: %s", buf_text(&address)) &&
           linef(g, "Auto-Submitted: %s", for_sender ? "auto-replied" : "auto-generated") &&
           line(g, S("MIME-Version: 1.0")) &&
           linef(g, "Content-Type: multipart/report; report-type=%sdelivery-status;", g->global ? "global-" : "") &&
           boundary(g, "\"") &&
           (g->encoding == NULL || linef(g, "Content-Transfer-Encoding: %s", g->encoding)) && line(g, S("")) &&
           line(g, S("This is a MIME-encapsulated message.")) && line(g, S(""));
}

static bool part(struct page *g, const char *description, const char *type, bool encoded)
{
    return boundary(g, "-") && linef(g, "Content-Description: %s", description) &&
           linef(g, "Content-Type: %s", type) &&
           (!encoded || g->encoding == NULL || linef(g, "Content-Transfer-Encoding: %s", g->encoding)) &&
           line(g, S(""));
}

/* ---- the notice ---- */

/* The reader would be told of nothing. */
static void warn_of_zero(const struct page *g, const struct template *t)
{
    const char *kind = template_kind_name(g->r->kind);
    slice name, unit;

    if (!template_has_zero(t, g->p, &name, &unit))
        return;
    event_warning("%s: zero result in %s template conversion of parameter \"%.*s\"", g->p->bounce_template_file, kind,
                  S_ARG(name));
    event_warning("please reduce time unit \"%.*s\" of \"%.*s\" in %s template", S_ARG(unit), S_ARG(name), kind);
    event_warning("for instructions see the bounce(5) manual");
}

static bool write_template(struct page *g, const struct template *t)
{
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    slice rest, one;

    warn_of_zero(g, t);
    if (!template_expand(t, g->r->desk->params, &text))
        return err_set(g->err, ERR_LIMIT, "bounce template is too long");
    rest = buf_slice(&text);
    while (cut_field(&rest, '\n', &one))
        if (!line(g, one))
            return false;
    return true;
}

static bool is_8bit(const struct page *g)
{
    return g->encoding != NULL && strcmp(g->encoding, "8bit") == 0;
}

static bool write_notice(struct page *g, const struct template *t, size_t from, size_t count)
{
    AUTO_BUF struct buf type = BUF_INIT(1000);
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST_BYTES);

    (void)buf_addf(&type, "text/plain; charset=%.*s",
                   S_ARG(is_8bit(g) && slice_eq_case(t->charset, S("us-ascii")) ? S("utf-8") : t->charset));
    if (!part(g, "Notification", buf_text(&type), true))
        return false;
    if (g->audience == FOR_SENDER && !write_template(g, t))
        return false;
    for (size_t i = from; i < from + count; i++) {
        const struct bounce_entry *e = &g->r->entries[i];

        if (!report_tells(g->r, g->audience, e))
            continue;
        buf_clear(&text);
        add_recipient(&text, &e->recipient);
        add_clean(&text, e->outcome.reason);
        if (!line(g, S("")) || !wrapped(g, buf_slice(&text)))
            return false;
    }
    return line(g, S(""));
}

/* ---- the delivery report: RFC 3464 ---- */

static bool field(struct page *g, const char *name, slice type, slice value)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST_BYTES);

    (void)buf_addf(&text, "%s: %.*s; ", name, S_ARG(type));
    add_clean(&text, value);
    return wrapped(g, buf_slice(&text));
}

static bool address_field(struct page *g, const char *name, slice internal)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST_BYTES);

    (void)buf_addf(&text, "%s: %s; ", name, is_ascii(internal) ? "rfc822" : "utf-8");
    add_address(&text, internal);
    return line(g, buf_slice(&text));
}

static bool envelope_id_field(struct page *g)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST_BYTES);

    if (g->r->envelope_id.n == 0)
        return true;
    (void)buf_add(&text, S("Original-Envelope-Id: "));
    add_clean(&text, g->r->envelope_id);
    return line(g, buf_slice(&text));
}

static bool write_message_fields(struct page *g)
{
    AUTO_BUF struct buf name = BUF_INIT(1000);
    AUTO_BUF struct buf null_sender = BUF_INIT(1000);
    char date[MAIL_DATE_MOST];
    slice sender = g->r->sender;

    if (sender.n == 0) {
        (void)buf_addf(&null_sender, "MAILER-DAEMON@%s", g->p->myhostname);
        sender = buf_slice(&null_sender);
    }
    (void)buf_addf(&name, "X-%s-Sender", g->p->mail_name);
    if (!linef(g, "Reporting-MTA: dns; %s", g->p->myhostname) || !envelope_id_field(g) ||
        !linef(g, "X-%s-Queue-ID: %.*s", g->p->mail_name, S_ARG(g->r->queue_id)) ||
        !address_field(g, buf_text(&name), sender))
        return false;
    if (!g->r->has_envelope)
        return true;
    mail_date_print(g->r->envelope.arrival_us / SECONDS(1), date);
    return linef(g, "Arrival-Date: %s", date);
}

static bool original_recipient_field(struct page *g, const struct recipient *r)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST_BYTES);

    if (r->dsn_orig_rcpt.n > 0) {
        (void)buf_add(&text, S("Original-Recipient: "));
        add_clean(&text, r->dsn_orig_rcpt);
        return line(g, buf_slice(&text));
    }
    return r->original.n == 0 || address_field(g, "Original-Recipient", r->original);
}

static slice action_of(const struct report *r, const struct bounce_entry *e)
{
    switch (r->kind) {
    case TEMPLATE_FAILURE:
        return S("failed");
    case TEMPLATE_DELAY:
        return S("delayed");
    default:
        return e->outcome.action.n > 0 ? e->outcome.action : S("delivered");
    }
}

static bool diagnostic_field(struct page *g, const struct outcome *o)
{
    AUTO_BUF struct buf type = BUF_INIT(1000);

    if (o->diag_type.n > 0)
        return field(g, "Diagnostic-Code", o->diag_type, o->diag_text);
    (void)buf_addf(&type, "X-%s", g->p->mail_name);
    return field(g, "Diagnostic-Code", buf_slice(&type), o->reason);
}

static bool retry_field(struct page *g)
{
    char date[MAIL_DATE_MOST];

    if (g->r->kind != TEMPLATE_DELAY || !g->r->has_envelope)
        return true;
    mail_date_print(g->r->envelope.create_time + g->p->maximal_queue_lifetime_us / SECONDS(1), date);
    return linef(g, "Will-Retry-Until: %s", date);
}

static bool write_recipient_fields(struct page *g, const struct bounce_entry *e)
{
    char code[DSN_CODE_TEXT];

    dsn_code_print(e->outcome.dsn, code);
    return line(g, S("")) && address_field(g, "Final-Recipient", e->recipient.address) &&
           original_recipient_field(g, &e->recipient) && linef(g, "Action: %.*s", S_ARG(action_of(g->r, e))) &&
           linef(g, "Status: %s", code) &&
           (e->outcome.mta_type.n == 0 || field(g, "Remote-MTA", e->outcome.mta_type, e->outcome.mta_name)) &&
           diagnostic_field(g, &e->outcome) && retry_field(g);
}

static bool write_status(struct page *g, size_t from, size_t count)
{
    if (!part(g, "Delivery report", g->global ? "message/global-delivery-status" : "message/delivery-status", g->global) ||
        !write_message_fields(g))
        return false;
    for (size_t i = from; i < from + count; i++)
        if (report_tells(g->r, g->audience, &g->r->entries[i]) && !write_recipient_fields(g, &g->r->entries[i]))
            return false;
    return line(g, S(""));
}

/* ---- the original ---- */

static bool is_header_line(slice text)
{
    size_t colon = slice_find(text, ':');

    if (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        return true;
    if (colon == SLICE_NONE || colon == 0)
        return false;
    for (size_t i = 0; i < colon; i++)
        if (text.p[i] < 33 || text.p[i] > 126)
            return slice_trim_end(slice_head(text, colon)).n == i;
    return true;
}

static bool copy_content(struct page *g, struct queue_reader *reader, bool headers_only)
{
    bool at_start = true;

    for (;;) {
        slice text;
        bool ends_line;

        switch (queue_reader_text(reader, &text, &ends_line, g->err)) {
        case RECORD_BAD:
            return false;
        case RECORD_EOF:
            return true;
        case RECORD_READ:
            break;
        }
        if (headers_only && at_start && !is_header_line(text))
            return true;
        at_start = ends_line;
        if (!submit_record(g->s, ends_line ? RECORD_TEXT : RECORD_LONG_TEXT, text, g->by, g->err))
            return false;
    }
}

/* RFC 3461 gives the sender the choice for failures only; what is long is returned as headers in any case. */
static bool wants_all(const struct page *g)
{
    return g->r->kind == TEMPLATE_FAILURE && g->audience != FOR_POSTMASTER &&
           (g->audience != FOR_SENDER || g->r->ret_flags != RET_HEADERS) &&
           g->r->envelope.size.message_bytes <= g->p->bounce_size_limit;
}

static bool write_original(struct page *g)
{
    bool all, fault_told = g->r->kind == TEMPLATE_FAILURE || g->r->kind == TEMPLATE_DELAY;
    AUTO_BUF struct buf description = BUF_INIT(100), path = BUF_INIT(LINE_MOST_BYTES);

    if (!g->r->has_envelope)
        return true;
    all = wants_all(g);
    AUTO_QUEUE_READER struct queue_reader *reader = queue_reader_open_at(g->r->fd, g->r->envelope.size.data_offset, g->r->path, 0);
    (void)buf_addf(&description, "%sMessage%s", fault_told ? "Undelivered " : "", all ? "" : " Headers");
    if (g->r->sender.n > 0)
        add_address(&path, g->r->sender);
    else
        (void)buf_addf(&path, "MAILER-DAEMON@%s", g->p->myhostname);
    return part(g, buf_text(&description),
                g->global ? (all ? "message/global" : "message/global-headers")
                          : (all ? "message/rfc822" : "text/rfc822-headers"),
                true) &&
           linef(g, "Return-Path: <%s>", buf_text(&path)) && copy_content(g, reader, !all) && line(g, S(""));
}

bool report_write(struct report *r, enum audience a, slice to, size_t from, size_t count, struct submission *s,
                  deadline by, struct err *err)
{
    const struct template *t = &r->desk->templates.of[r->kind];
    struct page g = {.r = r, .p = r->desk->params, .audience = a, .s = s, .by = by, .err = err};

    g.global = (r->smtputf8 & 1) != 0;
    if (g.p->smtputf8_enable || slice_eq_case(r->encoding, S("8bit")))
        g.encoding = "8bit";
    else if (r->encoding.n > 0)
        g.encoding = "7bit";
    return write_headers(&g, t, to) && write_notice(&g, t, from, count) && write_status(&g, from, count) &&
           write_original(&g) && boundary(&g, "e");
}
