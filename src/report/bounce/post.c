#include "core/base/clock.h"
#include "core/base/cut.h"
#include "mail/content/transcript.h"
#include "mail/envelope/verp.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/syntax/address.h"
#include "report/bounce/report.h"

enum { ADDRESS_MOST = 16384 };

/* "sender non-delivery notification" and so on. */
static const char *kind_text(const struct report *r, enum audience a)
{
    bool sender = a == FOR_SENDER;

    switch (r->kind) {
    case TEMPLATE_FAILURE:
        return sender ? "sender non-delivery notification" : "postmaster non-delivery notification";
    case TEMPLATE_DELAY:
        return sender ? "sender delay notification" : "postmaster delay notification";
    default:
        return sender ? "sender delivery status notification" : "postmaster delivery status notification";
    }
}

static bool send(struct report *r, enum audience a, slice to, size_t from, size_t count, deadline by, struct err *err)
{
    AUTO_BUF struct buf double_bounce = BUF_INIT(ADDRESS_MOST);
    struct submission s = {0};
    (void)notice_double_bounce(&double_bounce);
    const struct notice_options options = {
        .sender = a == FOR_SENDER ? S("") : buf_slice(&double_bounce),
        .recipient = to,
        .cleanup_flags = submit_notice_flags(S("bounce")),
        .smtputf8 = (r->smtputf8 & 1) != 0,
    };
    int64_t status = 0;

    if (!submit_notice(&s, &options, by, err))
        return false;
    if (!report_write(r, a, to, from, count, &s, by, err)) {
        submit_cancel(&s);
        return false;
    }
    if (!submit_notice_end(&s, by, &status, err))
        return false;
    if (status != CLEANUP_OK)
        return err_set(err, ERR_REFUSED, "%.*s: notice to the %s refused by cleanup, status %lld", S_ARG(r->queue_id),
                       a == FOR_SENDER ? "sender" : "postmaster", (long long)status);
    event_notice(&(struct event_notice){r->queue_id, kind_text(r, a), slice_text(s.queue_id)});
    return true;
}

/* Is SENDER the one that postmaster notices have? */
static bool is_double_bounce(const struct desk *d, slice sender)
{
    slice local, domain;

    address_split(sender, &local, &domain);
    return slice_eq_case(local, slice_text(d->params->double_bounce_sender)) &&
           (domain.n == 0 || slice_eq_case(domain, slice_text(d->params->myhostname)));
}

static bool tells_anyone(const struct report *r, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        if (report_tells(r, FOR_SENDER, &r->entries[i]))
            return true;
    return false;
}

static bool post_to_postmaster(struct report *r, enum audience a, slice class, const char *to, size_t from, size_t count,
                               deadline by, struct err *err)
{
    return !notice_class_is_wanted(r->desk->params, class) || send(r, a, slice_text(to), from, count, by, err);
}

/* A message without return address cannot come back: only the postmaster may be told. */
static bool post_null_sender(struct report *r, size_t from, size_t count, deadline by, struct err *err)
{
    if (r->kind == TEMPLATE_SUCCESS || r->kind == TEMPLATE_VERIFY)
        event_info("%.*s: not sending trace/success notification for single-bounce message", S_ARG(r->queue_id));
    if (r->kind != TEMPLATE_FAILURE)
        return true;
    return post_to_postmaster(r, FOR_POSTMASTER_ALONE, S("2bounce"), r->desk->params->double_bounce_notice_recipient, from, count,
                              by, err);
}

static bool post_double_bounce(const struct report *r)
{
    if (r->kind == TEMPLATE_FAILURE || r->kind == TEMPLATE_DELAY)
        event_warning("%.*s: undeliverable postmaster notification discarded", S_ARG(r->queue_id));
    else
        event_info("%.*s: not sending trace/success notification for double-bounce message", S_ARG(r->queue_id));
    return true;
}

static bool post_some(struct report *r, slice to, size_t from, size_t count, deadline by, struct err *err)
{
    const struct params *p = r->desk->params;

    if (count == 0)
        return true;
    if (is_double_bounce(r->desk, r->sender))
        return post_double_bounce(r);
    if (r->sender.n == 0)
        return post_null_sender(r, from, count, by, err);
    if (tells_anyone(r, from, count) && !send(r, FOR_SENDER, to, from, count, by, err))
        return false;
    if (r->kind == TEMPLATE_FAILURE)
        return post_to_postmaster(r, FOR_POSTMASTER, S("bounce"), p->bounce_notice_recipient, from, count, by, err);
    if (r->kind == TEMPLATE_DELAY)
        return post_to_postmaster(r, FOR_POSTMASTER, S("delay"), p->delay_notice_recipient, from, count, by, err);
    return true;
}

bool report_post(struct report *r, deadline by, struct err *err)
{
    return post_some(r, r->sender, 0, r->count, by, err);
}

bool report_post_verp(struct report *r, slice delimiters, deadline by, struct err *err)
{
    if (delimiters.n != 2)
        return report_post(r, by, err);
    for (size_t i = 0; i < r->count; i++) {
        AUTO_BUF struct buf to = BUF_INIT(20000);

        if (!verp_address(r->sender, delimiters, &r->entries[i].recipient, &to))
            return err_set(err, ERR_LIMIT, "%.*s: a VERP address is too long", S_ARG(r->queue_id));
        if (!post_some(r, buf_slice(&to), i, 1, by, err))
            return false;
    }
    return true;
}
