/* The content's records: through mail/content/rewriter.h, which asks back here. */
#include "mail/events/events.h"
#include "mail/syntax/address.h"
#include "receive/cleanup/maps.h"
#include "receive/cleanup/message.h"

static bool emit(void *context, int type, slice data)
{
    struct message *m = context;

    return message_record(m, type, data);
}

/* Maps of the header address EXTERNAL; *OUT stays when they change nothing. */
static bool map_header_address(struct message *m, enum address_class class, struct arena *arena, deadline by,
                               slice *out, struct err *err)
{
    AUTO_BUF struct buf internal = BUF_INIT(65536), external = BUF_INIT(65536);
    slice mapped;

    if (!address_unquote(*out, &internal))
        return true; /* too long for any table */
    if (internal.n == 0)
        return true;
    if (!maps_canonical(m->desk, output_id(&m->output), class, buf_slice(&internal), arena, by, &mapped, err))
        return false;
    if (slice_eq(mapped, buf_slice(&internal)))
        return true;
    if (!address_quote(mapped, &external) || !arena_copy(arena, buf_slice(&external), out))
        return desk_too_long(mapped, err);
    return true;
}

static bool header_address(void *context, enum rewriter_address role, slice external, struct arena *arena, deadline by,
                           slice *out, struct err *err)
{
    struct message *m = context;
    slice rewritten;

    if (!m->desk->rewrite(m->desk->rewrite_context, m->remote ? S("remote") : S("local"), external, arena, by,
                          &rewritten, err))
        return false;
    if ((m->flags & CLEANUP_MAP_OK) != 0 &&
        !map_header_address(m, role == REWRITER_SENDER ? ADDRESS_HEADER_SENDER : ADDRESS_HEADER_RECIPIENT, arena, by,
                            &rewritten, err))
        return false;
    *out = rewritten;
    return true;
}

static void log_message_id(void *context, slice id, bool resent)
{
    const struct message *m = context;
    const struct event_message_id e = {slice_text(output_id(&m->output)), id, resent};

    event_message_id(&e);
}

static bool reject(void *context, int64_t status, const char *why)
{
    message_reject(context, status, why);
    return !message_is_lost(context);
}

void content_begin(struct message *m)
{
    const struct params *p = m->desk->params;
    bool filter = (m->flags & CLEANUP_FILTER) != 0;
    const struct rewriter_hooks hooks = {
        .context = m,
        .emit = emit,
        .address = header_address,
        .message_id = log_message_id,
        .reject = reject,
        .check = checks_wanted(m) ? checks_ask : NULL,
        .fault = filter ? checks_fault : NULL,
    };
    const struct rewriter_facts facts = {
        .queue_id = slice_text(output_id(&m->output)),
        .sender = m->sender,
        .full_name = m->full_name,
        .arrival_seconds = m->arrival_seconds,
        .rewrite = !m->remote || p->remote_header_rewrite_domain[0] != '\0',
        .complete = !m->remote || p->always_add_missing_headers,
    };

    if (!message_record(m, RECORD_CONTENT, S("")))
        return;
    m->data_offset = output_offset(&m->output);
    rewriter_init(&m->rewriter, &m->desk->rules, &hooks, &facts);
    m->rewriting = true;
    m->part = PART_CONTENT;
}

void content_done(struct message *m)
{
    if (m->rewriting)
        rewriter_done(&m->rewriter);
    m->rewriting = false;
}

/* What the content has shown goes behind it. */
static void end_content(struct message *m)
{
    if (m->rewriter.mime.eight_bit_header)
        message_note_utf8(m, S("\xff"), SENDOPT_HEADER);
    if (m->rewriter.mime.eight_bit_body && m->desk->params->detect_8bit_encoding_header)
        m->encoding = S("8bit");
    if (m->fault.n > 0) {
        m->reason = m->reason.n == 0 ? m->fault : m->reason;
        message_reject(m, CLEANUP_CONTENT, NULL);
    }
    m->extracted_offset = output_offset(&m->output);
    m->in_recipients = false;
    m->part = PART_EXTRACTED;
    if (!message_record(m, RECORD_EXTRACTED, S("")) ||
        (m->filter.n > 0 && !message_record(m, RECORD_LONG_TEXT, m->filter)) ||
        (m->redirect.n > 0 && !message_record(m, RECORD_REDIRECT, m->redirect)))
        return;
    if (m->encoding.n > 0)
        (void)message_recordf(m, RECORD_ATTRIBUTE, "encoding=%.*s", S_ARG(m->encoding));
}

void content_plain(struct message *m)
{
    const struct desk *d = m->desk;
    slice records;

    if (d->strip.any || d->reject.any ||
        (m->rewriter.hooks.check != NULL && !tables_empty(d->checks[REWRITER_BODY].tables)))
        return;
    records = rewriter_plain(&m->rewriter, stream_ahead(m->client));
    if (records.n == 0 || !output_fits(&m->output, records.n))
        return;
    (void)message_records(m, records);
    stream_skip(m->client, records.n);
}

void content_record(struct message *m, int type, slice data)
{
    AUTO_BUF struct buf stripped = BUF_INIT(data.n + 1);
    struct err err;
    bool good;

    if (type != RECORD_TEXT && type != RECORD_LONG_TEXT && type != RECORD_EXTRACTED) {
        event_warning("cleanup_message_headerbody: message rejected: unexpected record type %d in message content",
                      type);
        message_reject(m, CLEANUP_BAD, NULL);
        return;
    }
    data = characters_strip(m, data, &stripped);
    characters_check(m, data);
    err_clear(&err);
    if (type == RECORD_EXTRACTED)
        good = rewriter_end(&m->rewriter, m->by, &err);
    else
        good = rewriter_text(&m->rewriter, type, data, m->by, &err);
    if (!good && err.kind != ERR_NONE)
        message_fail(m, &err);
    if (good && type == RECORD_EXTRACTED)
        end_content(m);
}
