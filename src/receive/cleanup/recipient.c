/* What one recipient becomes on its way into the queue file.  Sources: queue-file.md section 7. */
#include "mail/agent/report.h"
#include "mail/events/events.h"
#include "receive/cleanup/maps.h"
#include "receive/cleanup/message.h"

void recipient_forget(struct message *m)
{
    buf_clear(&m->orig_rcpt);
    buf_clear(&m->original);
    m->has_orig_rcpt = m->has_original = false;
    m->notify = 0;
}

static void add_folded(struct buf *key, slice text)
{
    for (size_t i = 0; i < text.n; i++)
        (void)buf_add_char(key, ascii_lower(text.p[i]));
    (void)buf_add_char(key, '\n');
}

/* Was the same recipient written before?  Remembers it while duplicate_filter_limit allows. */
static bool is_duplicate(struct message *m, const struct recipient *r)
{
    AUTO_BUF struct buf key = BUF_INIT(1U << 20);
    int limit = m->desk->params->duplicate_filter_limit;

    if (m->desk->params->enable_original_recipient) {
        add_folded(&key, r->dsn_orig_rcpt);
        (void)buf_addf(&key, "%d\n", r->notify);
        add_folded(&key, r->original);
    }
    add_folded(&key, r->address);
    if (map_get(&m->written, buf_slice(&key)) != NULL)
        return true;
    if (limit <= 0 || m->written.count < (size_t)limit)
        (void)map_set(&m->written, buf_slice(&key), m);
    return false;
}

static bool write_recipient(struct message *m, const struct recipient *r)
{
    if (is_duplicate(m, r))
        return true;
    if ((r->notify != 0 && !message_recordf(m, RECORD_ATTRIBUTE, "notify_flags=%d", r->notify)))
        return false;
    if (r->dsn_orig_rcpt.n > 0) {
        AUTO_BUF struct buf line = BUF_INIT(1U << 20);

        if (!buf_add(&line, S("dsn_orig_rcpt=")) || !buf_add(&line, r->dsn_orig_rcpt) ||
            !message_record(m, RECORD_ATTRIBUTE, buf_slice(&line)))
            return false;
    }
    if (!message_record(m, RECORD_ORIGINAL_RECIPIENT, r->original) || !message_record(m, RECORD_RECIPIENT, r->address))
        return false;
    m->recipients++;
    return true;
}

/* ---- virtual aliases ---- */

enum { TRACE_PROBE = 256 };

/* A probe of the mail system itself asks whether the name can be delivered to; a list can. */
static void answer_probe(struct message *m, const struct recipient *r)
{
    const struct outcome o = {
        .kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}, .reason = S("aliased to multiple recipients"), .relay = S("none")};
    const struct message_times times = {
        .arrival_us = m->arrival_us, .active_us = clock_wall_us(), .agent_us = clock_wall_us()};
    struct event_attempt attempt = {.id = slice_text(output_id(&m->output)),
                                    .recipient = r,
                                    .times = &times,
                                    .outcome = &o,
                                    .delay_digits = m->desk->params->delay_logging_resolution_limit};
    struct err err;

    if (!report_probe(r, &o, m->by, &attempt.status_text, &err))
        event_warning("%s: %s", output_id(&m->output), err.text);
    event_attempt(&attempt);
}

/* Success is reported here, since the name ends here: RFC 3461 5.2.7.3. */
static bool report_expansion(struct message *m, struct recipient *r)
{
    const struct outcome o = {
        .kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}, .reason = S("alias expanded"), .action = S("expanded")};
    struct err err;

    if ((r->notify & NOTIFY_SUCCESS) == 0)
        return true;
    if (!report_append(TRACE_SERVICE, STATUS_CLEAN, slice_text(output_id(&m->output)), r, &o, m->by, &err)) {
        event_warning("%s: trace service failure: %s", output_id(&m->output), err.text);
        message_fail(m, &err);
        return false;
    }
    r->notify = r->notify == NOTIFY_SUCCESS ? NOTIFY_NEVER : r->notify & ~NOTIFY_SUCCESS;
    return true;
}

static void write_expanded(struct message *m, struct recipient *r)
{
    struct address_entries entries;
    struct err err;

    switch (maps_expand(m->desk, output_id(&m->output), r->address, &m->work, m->by, &entries, &err)) {
    case EXPAND_SAME:
        (void)write_recipient(m, r);
        return;
    case EXPAND_UNREASONABLE:
        message_reject(m, CLEANUP_TEMPORARY, NULL);
        m->reason = S("4.6.0 Alias expansion error");
        return;
    case EXPAND_FAILED:
        message_fail(m, &err);
        m->reason = S("4.6.0 Alias expansion error");
        return;
    case EXPAND_DONE:
        break;
    }
    if (entries.count > 1 && (m->trace_flags & TRACE_PROBE) != 0) {
        answer_probe(m, r);
        return;
    }
    if (!report_expansion(m, r))
        return;
    for (size_t i = 0; i < entries.count; i++) {
        r->address = entries.items[i].address;
        if (!write_recipient(m, r))
            return;
    }
}

/* ---- */

void recipient_bcc(struct message *m, slice address)
{
    struct recipient r = {.notify = NOTIFY_NEVER};
    struct err err;

    if (!desk_rewrite_internal(m->desk, address, &m->work, m->by, &r.address, &err)) {
        message_fail(m, &err);
        return;
    }
    r.original = r.address;
    if ((m->flags & CLEANUP_MAP_OK) != 0)
        write_expanded(m, &r);
    else
        (void)write_recipient(m, &r);
}

/* Fills in what the client left open. */
static bool describe(struct message *m, slice given, struct recipient *r, struct err *err)
{
    bool utf8 = m->desk->params->smtputf8_enable && (m->flags & (CLEANUP_SMTPUTF8 | CLEANUP_AUTOUTF8)) != 0;
    const char *type = utf8 && mime_has_eight_bits(r->address) ? "utf-8" : "rfc822";

    r->notify = m->notify;
    r->dsn_orig_rcpt = buf_slice(&m->orig_rcpt);
    r->original = m->has_original ? buf_slice(&m->original) : given;
    if (!m->has_orig_rcpt && !arena_printf(&m->work, &r->dsn_orig_rcpt, "%s;%.*s", type, S_ARG(r->address)))
        return desk_too_long(r->address, err);
    return true;
}

void recipient_take(struct message *m, slice given)
{
    slice address = given.n > 0 ? given : slice_text(m->desk->params->empty_address_recipient), bcc, final;
    const char *id = output_id(&m->output);
    struct recipient r = {.offset = -1};
    struct err err;
    bool maps = (m->flags & CLEANUP_MAP_OK) != 0;

    message_note_utf8(m, given, 0);
    if (!desk_rewrite_internal(m->desk, address, &m->work, m->by, &r.address, &err) ||
        (maps &&
         !maps_canonical(m->desk, id, ADDRESS_ENVELOPE_RECIPIENT, r.address, &m->work, m->by, &r.address, &err)) ||
        !describe(m, given, &r, &err)) {
        message_fail(m, &err);
        return;
    }
    final = r.address;
    buf_clear(&m->last_recipient);
    (void)buf_add(&m->last_recipient, final);
    if (maps)
        write_expanded(m, &r);
    else
        (void)write_recipient(m, &r);
    recipient_forget(m);
    if (message_is_lost(m) || (m->flags & CLEANUP_BCC_OK) == 0)
        return;
    if (!maps_bcc(m->desk, id, &m->desk->recipient_bcc, final, &m->work, m->by, &bcc, &err))
        message_fail(m, &err);
    else if (bcc.n > 0)
        recipient_bcc(m, bcc);
}
