/* The new message that carries everything an alias sends elsewhere: queue-file.md section 8, "local(8) forward". */
#include "deliver/local/local.h"

#include "mail/content/submit.h"
#include "mail/proto/cleanup.h"
#include "mail/service/service.h"
#include "mail/syntax/date.h"
#include "mail/syntax/header.h"

/* ---- Delivered-To: what the message went through already ---- */

void forward_read_marks(struct delivery *d)
{
    struct err err;
    AUTO_QUEUE_READER struct queue_reader *reader = agent_content(d->request);
    AUTO_BUF struct buf lower = BUF_INIT(64 * 1024);
    static char mark;
    slice text, name, value;
    enum header_kind kind;
    bool ends;

    while (queue_reader_text(reader, &text, &ends, &err) == RECORD_READ && text.n > 0)
        if (header_line_parse(text, &name, &kind, &value) && kind == HEADER_DELIVERED_TO &&
            table_fold(slice_trim(value), &lower))
            (void)map_set(&d->delivered, buf_slice(&lower), &mark);
}

/* ---- gathering ---- */

/* NULL: no memory. */
static struct forward_group *group_of(struct delivery *d, const struct origin *o)
{
    struct forward_group *g = d->groups;

    while (g != NULL && (!slice_eq(g->delivered_to, o->delivered_to) || !slice_eq(g->sender, o->sender) ||
                         g->has_owner != o->has_owner))
        g = g->next;
    if (g != NULL)
        return g;
    g = ARENA_NEW(d->request->arena, struct forward_group);
    if (g == NULL)
        return NULL;
    g->delivered_to = o->delivered_to;
    g->sender = o->sender;
    g->has_owner = o->has_owner;
    g->last = &g->forwards;
    *d->last_group = g;
    d->last_group = &g->next;
    return g;
}

void forward_add(struct delivery *d, const struct origin *o, slice address)
{
    struct arena *arena = d->request->arena;
    struct forward_group *g;
    struct forward *f;

    if (!delivery_first(d, "address", address))
        return;
    if (delivery_is_probe(d)) {
        delivery_refuse(d, o, address, (struct dsn_code){2, 0, 0},
                        arena_format(arena, S("forwards"), "forwards to %.*s", S_ARG(address)));
        return;
    }
    g = group_of(d, o);
    f = ARENA_NEW(arena, struct forward);
    if (g == NULL || f == NULL || !arena_copy(arena, address, &f->address)) {
        d->exhausted = true;
        delivery_refuse(d, o, address, (struct dsn_code){4, 3, 1}, S("alias list too long"));
        return;
    }
    *g->last = f;
    g->last = &f->next;
}

/* ---- posting ---- */

static bool attribute(struct submission *s, const struct delivery *d, const char *name, slice value, struct err *err)
{
    return value.n == 0 || submit_recordf(s, d->request->by, err, RECORD_ATTRIBUTE, "%s=%.*s", name, S_ARG(value));
}

static bool write_envelope(struct submission *s, const struct delivery *d, const struct forward_group *g,
                           struct err *err)
{
    const struct delivery_request *w = &d->request->wire;
    int64_t arrival = d->request->times.arrival_us;

    return submit_recordf(s, d->request->by, err, RECORD_TIME, "%lld %lld", (long long)(arrival / 1000000),
                          (long long)(arrival % 1000000)) &&
           submit_record(s, RECORD_SENDER, g->sender, d->request->by, err) &&
           (g->has_owner || attribute(s, d, "envelope_id", w->envelope_id, err)) &&
           attribute(s, d, "log_client_name", w->log_client_name, err) &&
           attribute(s, d, "log_client_address", w->log_client_address, err) &&
           attribute(s, d, "log_client_port", w->log_client_port, err) &&
           attribute(s, d, "log_protocol_name", w->log_protocol_name, err) &&
           attribute(s, d, "log_helo_name", w->log_helo_name, err) &&
           attribute(s, d, "rewrite_context", w->rewrite_context.n > 0 ? w->rewrite_context : S("local"), err);
}

static bool write_recipients(struct submission *s, const struct delivery *d, const struct forward_group *g,
                             struct err *err)
{
    /* Whoever asked to hear of success hears of it from this delivery. */
    int notify = d->to->notify & ~NOTIFY_SUCCESS;

    for (const struct forward *f = g->forwards; f != NULL; f = f->next) {
        if (!g->has_owner &&
            (!attribute(s, d, "dsn_orig_rcpt", d->to->dsn_orig_rcpt, err) ||
             (notify != 0 && !submit_recordf(s, d->request->by, err, RECORD_ATTRIBUTE, "notify_flags=%d", notify)) ||
             (d->to->original.n > 0 &&
              !submit_record(s, RECORD_ORIGINAL_RECIPIENT, d->to->original, d->request->by, err))))
            return false;
        if (!submit_record(s, RECORD_RECIPIENT, f->address, d->request->by, err))
            return false;
    }
    return true;
}

static bool write_content(struct submission *s, struct delivery *d, const struct forward_group *g, struct err *err)
{
    AUTO_QUEUE_READER struct queue_reader *reader = NULL;
    char date[MAIL_DATE_MOST];
    enum record_got got;
    bool ends;
    slice text;

    mail_date_print(clock_wall_us() / 1000000, date);
    if (!submit_record(s, RECORD_CONTENT, S(""), d->request->by, err) ||
        !submit_recordf(s, d->request->by, err, RECORD_TEXT, "Received: by %s (%s)", world.params->myhostname,
                        world.params->mail_name) ||
        !submit_recordf(s, d->request->by, err, RECORD_TEXT, "\tid %s; %s", s->queue_id, date) ||
        (world.mark_forwards &&
         !submit_recordf(s, d->request->by, err, RECORD_TEXT, "Delivered-To: %.*s", S_ARG(g->delivered_to))))
        return false;
    reader = agent_content(d->request);
    while ((got = queue_reader_text(reader, &text, &ends, err)) == RECORD_READ)
        if (!submit_record(s, ends ? RECORD_TEXT : RECORD_LONG_TEXT, text, d->request->by, err))
            return false;
    return got != RECORD_BAD && submit_record(s, RECORD_EXTRACTED, S(""), d->request->by, err) &&
           submit_record(s, RECORD_END, S(""), d->request->by, err);
}

bool forward_post(struct delivery *d, const struct forward_group *g, slice *id, struct err *err)
{
    struct submission s;
    int64_t status;
    slice reason;

    if (!submit_begin(&s, CLEANUP_FROM_FORWARD, d->request->by, err))
        return false;
    if (!write_envelope(&s, d, g, err) || !write_recipients(&s, d, g, err) || !write_content(&s, d, g, err)) {
        submit_cancel(&s);
        return false;
    }
    *id = arena_keep(d->request->arena, slice_text(s.queue_id), S(""));
    if (!submit_finish(&s, d->request->arena, d->request->by, &status, &reason, err))
        return false;
    return status == CLEANUP_OK || err_set(err, ERR_REFUSED, "cleanup status %lld", (long long)status);
}
