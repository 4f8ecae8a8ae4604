/* The records in front of the content and behind it.  Sources: queue-file.md sections 2, 6, 8. */
#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/envelope/recipient.h"
#include "receive/cleanup/maps.h"
#include "receive/cleanup/message.h"

static void reject_type(struct message *m, int type, const char *where)
{
    char why[80];

    (void)snprintf(why, sizeof why, "unexpected record type %d in %s", type, where);
    message_reject(m, CLEANUP_BAD, why);
}

/* ---- named attributes ---- */

/* "bad X record <DATA>": WHAT is up to DATA, AFTER what follows it. */
static void reject_attribute(struct message *m, const char *what, slice data, const char *after)
{
    char why[300];

    (void)snprintf(why, sizeof why, "%s%.*s%s", what, (int)(data.n < 200 ? data.n : 200), data.p, after);
    message_reject(m, CLEANUP_BAD, why);
}

static void set_orig_rcpt(struct message *m, slice value)
{
    if (m->has_orig_rcpt)
        event_warning("%s: ignoring out-of-order DSN original recipient record <%.*s>", output_id(&m->output),
                      S_ARG(buf_slice(&m->orig_rcpt)));
    buf_clear(&m->orig_rcpt);
    m->has_orig_rcpt = buf_add(&m->orig_rcpt, value);
}

static void set_notify(struct message *m, slice data, slice value)
{
    int64_t n;

    if (!slice_to_i64(value, &n) || n < 1 || n > 14 || ((n & NOTIFY_NEVER) != 0 && n != NOTIFY_NEVER)) {
        event_warning("%s: ignoring malformed DSN notify record <%.*s>", output_id(&m->output), S_ARG(data));
        return;
    }
    if (m->notify != 0)
        event_warning("%s: ignoring out-of-order DSN notify record <%d>", output_id(&m->output), m->notify);
    m->notify = (int)n;
    m->notify_union |= n;
}

static void set_original(struct message *m, slice value)
{
    if (m->has_original)
        event_warning("%s: ignoring out-of-order original recipient record <%.*s>", output_id(&m->output),
                      S_ARG(buf_slice(&m->original)));
    buf_clear(&m->original);
    m->has_original = buf_add(&m->original, value);
}

static bool set_context(struct message *m, slice value)
{
    if (!slice_eq(value, S("local")) && !slice_eq(value, S("remote"))) {
        reject_attribute(m, "bad rewriting context: ", value, "");
        return false;
    }
    m->remote = slice_eq(value, S("remote"));
    return true;
}

/* Looks at an attribute that means something here.  False: it is not to be written. */
static bool note_attribute(struct message *m, slice data, slice name, slice value)
{
    int64_t n;

    if (slice_eq(name, S("create_time")))
        return false; /* ours stands there */
    if (slice_eq(name, S("dsn_orig_rcpt"))) {
        set_orig_rcpt(m, value);
        return false;
    }
    if (slice_eq(name, S("notify_flags"))) {
        set_notify(m, data, value);
        return false;
    }
    if (slice_eq(name, S("rewrite_context")))
        return set_context(m, value);
    if (slice_eq(name, S("encoding")) && !arena_copy(&m->arena, value, &m->encoding))
        return false;
    if (slice_eq(name, S("envelope_id")) && !arena_copy(&m->arena, value, &m->envelope_id))
        return false;
    if ((slice_eq(name, S("log_message_origin")) && !arena_copy(&m->arena, value, &m->origin)) ||
        (slice_eq(name, S("log_protocol_name")) && !arena_copy(&m->arena, value, &m->protocol)) ||
        (slice_eq(name, S("log_helo_name")) && !arena_copy(&m->arena, value, &m->helo)))
        return false;
    if (slice_eq(name, S("trace_flags"))) {
        if (!slice_to_i64(value, &n) || n < 0 || n > INT32_MAX) {
            reject_attribute(m, "bad TFLAG record <", data, ">");
            return false;
        }
        m->trace_flags = (int)n;
    }
    if (slice_eq(name, S("ret_flags"))) {
        if (!slice_to_i64(value, &n) || (n != RET_FULL && n != RET_HEADERS)) {
            reject_attribute(m, "bad DSN RET record <", data, ">");
            return false;
        }
        m->ret_flags = (int)n;
    }
    return true;
}

static bool parse_attribute(struct message *m, slice data, slice *name, slice *value)
{
    size_t equals = slice_find(data, '=');

    if (equals == SLICE_NONE) {
        reject_attribute(m, "malformed attribute: missing '=' after attribute name: ", data, "");
        return false;
    }
    *name = slice_trim(slice_head(data, equals));
    *value = slice_trim(slice_skip(data, equals + 1));
    if (name->n == 0) {
        reject_attribute(m, "malformed attribute: missing attribute name: ", data, "");
        return false;
    }
    if (value->n == 0) {
        event_warning("%s: spurious null attribute value for \"%.*s\" -- ignored", output_id(&m->output), S_ARG(*name));
        return false;
    }
    return true;
}

static void attribute_record(struct message *m, slice data)
{
    slice name, value;

    if (parse_attribute(m, data, &name, &value) && note_attribute(m, data, name, value))
        (void)message_record(m, RECORD_ATTRIBUTE, data);
}

/* An attribute that decides about recipients may stand among them. */
static bool is_recipient_record(int type, slice data)
{
    slice name, value;

    if (type != RECORD_ATTRIBUTE)
        return strchr("MDRO/Kon", type) != NULL;
    return attribute_parse(data, &name, &value) &&
           (slice_eq(name, S("dsn_orig_rcpt")) || slice_eq(name, S("notify_flags")));
}

/* ---- time, sender ---- */

static void time_record(struct message *m, slice data)
{
    int64_t seconds, micros = 0;
    slice rest = data;
    bool minus = cut_char(&rest, '-');

    if (m->arrival_seconds != 0) {
        (void)message_recordf(m, RECORD_ATTRIBUTE, "create_time=%lld",
                              (long long)(m->output.file.created_us / SECONDS(1)));
        return;
    }
    if (!cut_u63(&rest, &seconds) || seconds == 0 || seconds > INT32_MAX * (int64_t)1000)
        return;
    if (!cut_char(&rest, ' ') || !cut_u63(&rest, &micros) || micros >= SECONDS(1))
        micros = 0;
    m->arrival_seconds = minus ? -seconds : seconds;
    m->arrival_us = m->arrival_seconds * SECONDS(1) + micros;
    if (message_record(m, RECORD_TIME, data))
        (void)message_recordf(m, RECORD_ATTRIBUTE, "create_time=%lld",
                              (long long)(m->output.file.created_us / SECONDS(1)));
}

static void sender_record(struct message *m, slice data)
{
    slice address = slice_head(data, slice_find(data, '\0')), bcc;
    const char *id = output_id(&m->output);
    struct err err;

    if (m->has_sender) {
        message_reject(m, CLEANUP_BAD, "multiple envelope sender records");
        return;
    }
    m->has_sender = true;
    message_note_utf8(m, address, SENDOPT_SENDER);
    if (!desk_rewrite_internal(m->desk, address, &m->work, m->by, &address, &err) ||
        ((m->flags & CLEANUP_MAP_OK) != 0 && address.n > 0 &&
         !maps_canonical(m->desk, id, ADDRESS_ENVELOPE_SENDER, address, &m->work, m->by, &address, &err)) ||
        !arena_copy(&m->arena, address, &m->sender)) {
        message_fail(m, &err);
        return;
    }
    if (!message_record(m, RECORD_SENDER, m->sender) || (m->flags & CLEANUP_BCC_OK) == 0)
        return;
    if (!maps_bcc(m->desk, id, &m->desk->sender_bcc, m->sender, &m->work, m->by, &bcc, &err))
        message_fail(m, &err);
    else if (bcc.n > 0)
        recipient_bcc(m, bcc);
}

/* Everything that belongs to the whole message has been seen once the first recipient comes. */
static bool begin_recipients(struct message *m)
{
    int64_t delay = m->desk->params->delay_warning_time_us;

    if (!m->has_sender) {
        message_reject(m, CLEANUP_BAD, "missing sender envelope record");
        return false;
    }
    if (m->arrival_seconds == 0) {
        message_reject(m, CLEANUP_BAD, "missing time envelope record");
        return false;
    }
    m->in_recipients = true;
    return delay == 0 || m->sender.n == 0 ||
           message_recordf(m, RECORD_WARN_TIME, "%15lld", (long long)(m->arrival_seconds + delay / SECONDS(1)));
}

static void flags_record(struct message *m, slice data)
{
    int64_t extra;

    if (!slice_to_i64(data, &extra))
        return; /* no flag at all */
    if ((extra & ~(int64_t)(CLEANUP_HOLD | CLEANUP_DISCARD)) != 0)
        event_warning("%s: ignoring bad extra flags: 0x%llx", output_id(&m->output), (unsigned long long)extra);
    else
        m->flags |= extra;
}

/* ---- the two envelopes ---- */

/* Records that mean the same in both.  False: TYPE is none of them. */
static bool common_record(struct message *m, int type, slice data)
{
    switch (type) {
    case RECORD_RECIPIENT:
        recipient_take(m, slice_head(data, slice_find(data, '\0')));
        return true;
    case RECORD_DONE:
    case RECORD_CANCELED:
        recipient_forget(m);
        return true;
    case RECORD_ORIGINAL_RECIPIENT:
        set_original(m, data);
        return true;
    case RECORD_DSN_ORIG_RCPT:
        set_orig_rcpt(m, data);
        return true;
    case RECORD_DSN_NOTIFY:
        set_notify(m, data, data);
        return true;
    case RECORD_ATTRIBUTE:
        attribute_record(m, data);
        return true;
    default:
        return false;
    }
}

void envelope_record(struct message *m, int type, slice data)
{
    bool of_recipient = is_recipient_record(type, data);

    if (type == RECORD_FLAGS) {
        flags_record(m, data);
        return;
    }
    if (!record_in_envelope(type)) {
        reject_type(m, type, "envelope");
        return;
    }
    if (of_recipient && !m->in_recipients && !begin_recipients(m))
        return;
    if (type == RECORD_KILLED || (m->in_recipients && !of_recipient))
        m->mixed = true;
    if (common_record(m, type, data))
        return;
    switch (type) {
    case RECORD_SIZE:
    case RECORD_CREATE_TIME:
        break; /* ours stand there */
    case RECORD_TIME:
        time_record(m, data);
        break;
    case RECORD_SENDER:
        sender_record(m, data);
        break;
    case RECORD_CONTENT:
        content_begin(m);
        break;
    case RECORD_FULL_NAME:
        if (m->full_name.n == 0 && !arena_copy(&m->arena, data, &m->full_name))
            message_reject(m, CLEANUP_BAD, "envelope too large");
        (void)message_record(m, type, data);
        break;
    default:
        (void)message_record(m, type, data);
    }
}

void extracted_record(struct message *m, int type, slice data)
{
    if (type == RECORD_FLAGS) {
        flags_record(m, data);
        return;
    }
    if (!record_in_extracted(type)) {
        reject_type(m, type, "extracted envelope");
        return;
    }
    if (type == RECORD_END) {
        m->part = PART_OVER;
        return;
    }
    if (is_recipient_record(type, data))
        m->in_recipients = true;
    else if (m->in_recipients)
        m->mixed = true;
    if (!common_record(m, type, data))
        (void)message_record(m, type, data);
}
