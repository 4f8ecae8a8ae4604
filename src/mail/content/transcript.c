#include "mail/content/transcript.h"

#include "core/base/cut.h"
#include "mail/content/submit.h"
#include "mail/content/wrap.h"
#include "mail/proto/cleanup.h"
#include "mail/service/service.h"

enum { TRANSCRIPT_MOST = 256 * 1024, INDENT = 5, ADDRESS_MOST = 16384 };

bool notice_class_is_wanted(const struct params *p, slice class)
{
    slice list = slice_text(p->notify_classes), word;

    while (cut_word(&list, ", \t\r\n", &word))
        if (slice_eq_case(word, class))
            return true;
    return false;
}

unsigned transcript_classes(const struct params *p)
{
    static const struct {
        slice name;
        enum notice_class class;
    } rows[] = {
        {S_INIT("bounce"), NOTICE_BOUNCE},     {S_INIT("policy"), NOTICE_POLICY},     {S_INIT("protocol"), NOTICE_PROTOCOL},
        {S_INIT("resource"), NOTICE_RESOURCE}, {S_INIT("software"), NOTICE_SOFTWARE},
    };
    unsigned wanted = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (notice_class_is_wanted(p, rows[i].name))
            wanted |= rows[i].class;
    return wanted;
}

void transcript_init(struct transcript *t, unsigned wanted)
{
    *t = (struct transcript){.wanted = wanted};
    buf_init(&t->text, TRANSCRIPT_MOST);
}

void transcript_done(struct transcript *t)
{
    buf_done(&t->text);
}

/* What is too much is left out. */
void transcript_add(struct transcript *t, bool is_in, slice line)
{
    if (t->wanted == 0)
        return;
    (void)buf_add(&t->text, is_in ? S(" In:  ") : S(" Out: "));
    (void)buf_add(&t->text, slice_trim_end(line));
    (void)buf_add_char(&t->text, '\n');
}

void transcript_blame(struct transcript *t, enum notice_class class)
{
    t->errors |= class;
}

static bool write_wrapped(struct submission *s, slice line, deadline by, struct err *err)
{
    AUTO_BUF struct buf one = BUF_INIT(TRANSCRIPT_MOST);

    for (bool first = true; line.n > 0; first = false) {
        wrap_next(&line, first, INDENT, &one);
        if (!submit_record(s, RECORD_TEXT, buf_slice(&one), by, err))
            return false;
    }
    return true;
}

static bool write_lines(struct submission *s, const struct transcript *t, deadline by, struct err *err)
{
    slice rest = buf_slice(&t->text), line;

    while (cut_field(&rest, '\n', &line))
        if (!write_wrapped(s, line, by, err))
            return false;
    return true;
}

static bool write_notice(struct submission *s, const struct transcript *t, const struct transcript_notice *n, deadline by,
                         struct err *err)
{
    const struct params *p = service_params();
    bool obsolete = slice_eq(slice_text(p->header_from_format), S("obsolete"));

    return submit_textf(s, by, err, "From: %s",
                        obsolete ? "MAILER-DAEMON (Mail Delivery System)" : "Mail Delivery System <MAILER-DAEMON>") &&
           submit_textf(s, by, err, obsolete ? "To: %s (Postmaster)" : "To: Postmaster <%s>", p->error_notice_recipient) &&
           submit_textf(s, by, err, "Subject: %s %s: errors from %.*s", p->mail_name, n->who, S_ARG(n->peer)) &&
           submit_textf(s, by, err, "%s", "") &&
           (n->before == NULL || (submit_textf(s, by, err, "%s", n->before) && submit_textf(s, by, err, "%s", ""))) &&
           submit_textf(s, by, err, "Transcript of session follows.") && submit_textf(s, by, err, "%s", "") &&
           write_lines(s, t, by, err) && submit_textf(s, by, err, "%s", "") &&
           (n->after == NULL ||
            (submit_textf(s, by, err, "%s", n->after) && (n->after[0] == '\0' || submit_textf(s, by, err, "%s", "")))) &&
           submit_textf(s, by, err, "For other details, see the local mail logfile");
}

static bool post(const struct transcript *t, const struct transcript_notice *n, deadline by, struct err *err)
{
    const struct params *p = service_params();
    AUTO_BUF struct buf sender = BUF_INIT(ADDRESS_MOST);
    struct submission s = {0};
    int64_t status = 0;

    (void)notice_double_bounce(&sender);
    const struct notice_options o = {
        .sender = buf_slice(&sender),
        .recipient = slice_text((t->errors & t->wanted & NOTICE_BOUNCE) != 0 ? p->bounce_notice_recipient
                                                                             : p->error_notice_recipient),
        .cleanup_flags = submit_notice_flags(S("notify")),
    };
    if (!submit_notice(&s, &o, by, err))
        return false;
    if (!write_notice(&s, t, n, by, err)) {
        submit_cancel(&s);
        return false;
    }
    return submit_notice_end(&s, by, &status, err) &&
           (status == CLEANUP_OK || err_set(err, ERR_REFUSED, "refused by cleanup, status %lld", (long long)status));
}

void transcript_forget(struct transcript *t)
{
    t->errors = 0;
    buf_clear(&t->text);
    t->text.overflow = false;
}

bool transcript_send(struct transcript *t, const struct transcript_notice *n, deadline by, struct err *err)
{
    bool good = (t->errors & t->wanted) == 0 || post(t, n, by, err);

    transcript_forget(t);
    return good;
}
