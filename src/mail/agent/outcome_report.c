#include <sys/stat.h>

#include "mail/agent/agent.h"
#include "mail/agent/filter.h"
#include "mail/agent/report.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"

/* What bounce(8), defer(8) and trace(8) want to know of the request's flags. */
static int64_t trace_flags(const struct agent_request *r)
{
    return r->wire.flags & (DELIVERY_MTA_PROBE | DELIVERY_USER_PROBE | DELIVERY_RECORD);
}

static void log_attempt(const struct agent_request *r, size_t index, const struct outcome *o, slice status_text)
{
    event_attempt(&(struct event_attempt){
        .id = r->wire.queue_id,
        .recipient = &r->recipients[index],
        .times = &r->times,
        .outcome = o,
        .status_text = status_text,
        .delay_digits = service_params()->delay_logging_resolution_limit,
    });
}

/* After the log line: a crash in between means one more delivery, never a loss. */
static void mark_done(struct agent_request *r, size_t index)
{
    const struct recipient *one = &r->recipients[index];
    struct err err;

    r->done[index] = true;
    if ((r->wire.flags & DELIVERY_MARK_DONE) == 0 || one->offset <= 0)
        return;
    if (!queue_mark(r->fd, one->offset, 'R', 'D', &err))
        event_warning("%s: mark recipient as done: %s", r->path, err.text);
}

/* For one of our own services, whatever was spent on others. */
static deadline patience(void)
{
    return deadline_in(service_params()->ipc_timeout_us);
}

static bool append(const struct agent_request *r, size_t index, const char *service, const struct outcome *o)
{
    struct err err;

    if (report_append(service, trace_flags(r), r->wire.queue_id, &r->recipients[index], o, patience(), &err))
        return true;
    event_warning("%.*s: %s service failure: %s", S_ARG(r->wire.queue_id), service, err.text);
    return false;
}

/* The sender is told of all at once when everything is settled, the owner of a list now. */
static bool append_bounce(const struct agent_request *r, size_t index, const struct outcome *o)
{
    int notify = r->recipients[index].notify;
    struct err err;

    if (r->owner == NULL)
        return append(r, index, BOUNCE_SERVICE, o);
    if (notify != NOTIFY_NONE && (notify & NOTIFY_FAILURE) == 0)
        return true;
    const struct status_flush about = {.queue_name = r->wire.queue_name,
                                       .queue_id = r->wire.queue_id,
                                       .encoding = r->wire.encoding,
                                       .smtputf8 = r->wire.smtputf8,
                                       .sender = *r->owner};
    if (report_one(&about, &r->recipients[index], o, patience(), &err))
        return true;
    event_warning("%.*s: %s service failure: %s", S_ARG(r->wire.queue_id), BOUNCE_SERVICE, err.text);
    return false;
}

/* For reports that "sendmail -v", "-bv" or NOTIFY=SUCCESS asked for: who did it stands before what was done. */
static bool append_trace(const struct agent_request *r, size_t index, const struct outcome *o)
{
    struct outcome told = *o;

    if (o->relay.n > 0 && !slice_eq(o->relay, S("none")))
        told.reason = arena_format(r->arena, o->reason, "delivery via %.*s: %.*s", S_ARG(o->relay), S_ARG(o->reason));
    return append(r, index, TRACE_SERVICE, &told);
}

static bool is_recorded(const struct agent_request *r)
{
    return (r->wire.flags & DELIVERY_RECORD) != 0;
}

/* Of a delivery: asked for, or the end of a delay that the sender was warned of and did not want to miss. */
static bool wants_news(const struct agent_request *r, size_t index)
{
    int notify = r->recipients[index].notify;

    return is_recorded(r) || (notify & NOTIFY_SUCCESS) != 0 ||
           ((r->wire.flags & DELIVERY_LATE) != 0 && (notify == NOTIFY_NONE || (notify & NOTIFY_DELAY) != 0));
}

/* ---- the three ends ---- */

static void report_deferred(struct agent_request *r, size_t index, const struct outcome *o, slice status_text)
{
    slice local, domain;
    struct err err;

    (void)append(r, index, DEFER_SERVICE, o);
    if (is_recorded(r))
        (void)append_trace(r, index, o);
    log_attempt(r, index, o, status_text);
    r->some_deferred = true;
    address_split(r->recipients[index].address, &local, &domain);
    if (service_params()->fast_flush_domains[0] == '\0' || domain.n == 0)
        return;
    if (!report_flush_add(domain, r->wire.queue_id, patience(), &err))
        event_warning("%.*s: flush service failure: %s", S_ARG(r->wire.queue_id), err.text);
}

static void report_delivered(struct agent_request *r, size_t index, const struct outcome *o)
{
    /* What cannot be told has been delivered all the same. */
    if (wants_news(r, index))
        (void)append_trace(r, index, o);
    log_attempt(r, index, o, S(""));
    mark_done(r, index);
}

/* A failure that may not be final after all is deferred. */
static struct outcome softened(const struct outcome *o)
{
    struct outcome soft = *o;

    soft.kind = OUTCOME_DEFERRED;
    soft.dsn.class = 4;
    soft.action = S("");
    return soft;
}

static void report_bounced(struct agent_request *r, size_t index, const struct outcome *o)
{
    struct outcome soft = softened(o);

    if (service_params()->soft_bounce) {
        report_deferred(r, index, &soft, S("SOFTBOUNCE"));
        return;
    }
    /* The postmaster may want to know even when the sender does not. */
    if (!append_bounce(r, index, o)) {
        report_deferred(r, index, &soft, S(""));
        return;
    }
    if (is_recorded(r))
        (void)append_trace(r, index, o);
    log_attempt(r, index, o, S(""));
    mark_done(r, index);
}

/* ---- probes ---- */

/* sendmail -bv: nothing was delivered; the answer is a report. */
static void report_user_probe(struct agent_request *r, size_t index, const struct outcome *o)
{
    struct outcome told = *o;

    told.action = o->kind == OUTCOME_DELIVERED ? S("deliverable") : S("undeliverable");
    if (!append_trace(r, index, &told)) {
        report_deferred(r, index, o, S(""));
        return;
    }
    log_attempt(r, index, o, told.action);
    mark_done(r, index);
}

static void report_mta_probe(struct agent_request *r, size_t index, const struct outcome *o)
{
    struct err err;
    slice word;

    if (!report_probe(&r->recipients[index], o, patience(), &word, &err))
        event_warning("%.*s: %s", S_ARG(r->wire.queue_id), err.text);
    log_attempt(r, index, o, word);
    mark_done(r, index);
}

/* ---- for agents ---- */

void agent_report(struct agent_request *r, size_t index, const struct outcome *outcome)
{
    struct outcome o = *outcome;

    if (index >= r->recipient_count || r->reported[index])
        return;
    r->reported[index] = true;
    agent_filter_apply(r->filter, &o, r->arena, r->by);
    if ((r->wire.flags & DELIVERY_MTA_PROBE) != 0)
        report_mta_probe(r, index, &o);
    else if ((r->wire.flags & DELIVERY_USER_PROBE) != 0)
        report_user_probe(r, index, &o);
    else if (o.kind == OUTCOME_DELIVERED)
        report_delivered(r, index, &o);
    else if (o.kind == OUTCOME_DEFERRED)
        report_deferred(r, index, &o, S(""));
    else
        report_bounced(r, index, &o);
    r->by = patience(); /* for what comes next */
}

static bool report_part(struct agent_request *r, const struct recipient *part, const struct outcome *outcome,
                        const slice *owner)
{
    struct agent_request one = *r;
    struct recipient recipient = *part;
    bool done = false, reported = false;

    recipient.offset = -1;
    one.recipients = &recipient;
    one.recipient_count = 1;
    one.done = &done;
    one.reported = &reported;
    one.owner = owner;
    agent_report(&one, 0, outcome);
    r->by = one.by;
    return done;
}

bool agent_report_part(struct agent_request *r, const struct recipient *part, const struct outcome *outcome)
{
    return report_part(r, part, outcome, NULL);
}

bool agent_report_part_to(struct agent_request *r, const struct recipient *part, const struct outcome *outcome,
                          slice owner)
{
    return report_part(r, part, outcome, &owner);
}

void agent_settle(struct agent_request *r, size_t index, bool done)
{
    if (index >= r->recipient_count || r->reported[index])
        return;
    r->reported[index] = true;
    if (done)
        mark_done(r, index);
    else
        r->some_deferred = true;
}

void agent_report_expansion(struct agent_request *r, size_t index, const struct outcome *outcome)
{
    int *notify = &r->recipients[index].notify;

    if ((*notify & NOTIFY_SUCCESS) != 0 && append(r, index, TRACE_SERVICE, outcome))
        *notify = *notify == NOTIFY_SUCCESS ? NOTIFY_NEVER : *notify & ~NOTIFY_SUCCESS;
}

void agent_report_rest(struct agent_request *r, const struct outcome *outcome)
{
    for (size_t i = 0; i < r->recipient_count; i++)
        agent_report(r, i, outcome);
}

void agent_mark_corrupt(struct agent_request *r)
{
    event_warning("corrupted queue file: %s", r->path);
    if (fchmod(r->fd, QUEUE_MODE_CORRUPT) != 0)
        event_warning("%s: cannot be marked as corrupt: %m", r->path);
}

void agent_unreadable(struct agent_request *r, const struct err *err)
{
    struct outcome o = outcome_from_err(err);

    if (err->kind == ERR_CORRUPT)
        agent_mark_corrupt(r);
    agent_report_rest(r, &o);
}

slice agent_split_dsn(slice text, struct dsn_code *code)
{
    if (cut_dsn_code(&text, code))
        return slice_trim(text);
    return text;
}
