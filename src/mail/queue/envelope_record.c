#include "mail/queue/envelope_record.h"

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "core/base/cut.h"

bool walk_corrupt(struct walk *w, const char *what)
{
    return err_set(w->err, ERR_CORRUPT, "%s", what);
}

/* Texts end at a NUL at the latest: they go on as C strings and over protocols that end each with one. */
static bool keep(struct walk *w, slice text, slice *to)
{
    size_t nul = slice_find(text, '\0');

    if (nul != SLICE_NONE)
        text = slice_head(text, nul);
    return arena_copy(w->arena, text, to) ||
           err_set(w->err, ERR_LIMIT, "%s: the envelope does not fit into memory", w->path);
}

static bool keep_first(struct walk *w, slice text, slice *to)
{
    return to->p != NULL || keep(w, text, to);
}

static bool parse_count(slice text, int64_t *out)
{
    return slice_to_i64(slice_trim(text), out) && *out >= 0;
}

static bool is_number(slice word)
{
    if (word.n > 1 && word.p[0] == '-')
        word = slice_skip(word, 1);
    for (size_t i = 0; i < word.n; i++)
        if (!ascii_is_digit(word.p[i]))
            return false;
    return word.n > 0;
}

static bool take_size(struct walk *w, slice data)
{
    struct size_record size;

    if (w->has_size || !w->e)
        return true;
    if (!size_record_parse(data, &size))
        return !w->strict || walk_corrupt(w, "invalid size record");
    /* sendmail of later releases sends one with options only. */
    if (!w->strict && (size.message_bytes <= 0 || size.data_offset <= 0)) {
        w->e->sendopts = size.sendopts > 0 ? (int)size.sendopts : 0;
        return true;
    }
    if (size.message_bytes <= 0 || size.data_offset <= 0)
        return walk_corrupt(w, "invalid size record");
    if ((size.qmgr_flags & ~INT64_C(0x1f)) != 0)
        return !w->strict || walk_corrupt(w, "invalid flags in size record");
    if (size.content_bytes < 0)
        return !w->strict || walk_corrupt(w, "weird size record");
    w->e->size = size;
    w->e->sendopts = (int)(size.sendopts & 0x7fffffff);
    w->has_size = true;
    return true;
}

/* What is no time at all counts as missing; one that cannot be is as old as can be, so that the message still goes out. */
static bool take_time(struct walk *w, slice data)
{
    int64_t seconds, micros = 0;
    slice word;

    if (w->e->has_time || !cut_word(&data, " ", &word) || !is_number(word))
        return true;
    if (!parse_count(word, &seconds) || seconds > INT64_MAX / SECONDS(1) - 1)
        seconds = 0;
    if (cut_word(&data, " ", &word) && (!parse_count(word, &micros) || micros >= SECONDS(1)))
        micros = 0;
    w->e->arrival_us = seconds * SECONDS(1) + micros;
    w->e->has_time = true;
    return true;
}

static bool take_warn_time(struct walk *w, slice data, int64_t offset)
{
    int64_t when;

    if (slice_to_i64(slice_trim(data), &when) && when != 0) {
        w->e->warn_time = when;
        w->e->warn_offset = offset + 2;
    }
    return true;
}

enum { NAME_AT, ADDRESS_AT, PORT_AT, PROTOCOL_AT, HELO_AT };

/* Attributes of the message that are texts, and where they are kept. */
static slice *text_attribute(struct walk *w, slice name)
{
    struct envelope *e = w->e;
    const struct {
        slice name;
        slice *to;
    } rows[] = {
        {S("rewrite_context"), &e->rewrite_context},
        {S("encoding"), &e->encoding},
        {S("envelope_id"), &e->envelope_id},
        {S("log_ident"), &e->log_ident},
        {S("message_id"), &e->message_id},
        {S("sasl_method"), &e->sasl_method},
        {S("sasl_username"), &e->sasl_username},
        {S("sasl_sender"), &e->sasl_sender},
        {S("client_name"), &w->client[NAME_AT]},
        {S("client_address"), &w->client[ADDRESS_AT]},
        {S("client_port"), &w->client[PORT_AT]},
        {S("protocol_name"), &w->client[PROTOCOL_AT]},
        {S("helo_name"), &w->client[HELO_AT]},
        {S("log_client_name"), &w->log_client[NAME_AT]},
        {S("log_client_address"), &w->log_client[ADDRESS_AT]},
        {S("log_client_port"), &w->log_client[PORT_AT]},
        {S("log_protocol_name"), &w->log_client[PROTOCOL_AT]},
        {S("log_helo_name"), &w->log_client[HELO_AT]},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_eq(name, rows[i].name))
            return rows[i].to;
    return NULL;
}

/* A value that cannot be counts for nothing. */
static bool take_number_attribute(struct walk *w, slice name, slice value, int64_t offset)
{
    int64_t n;

    if (!parse_count(value, &n) || n > INT32_MAX * INT64_C(4))
        return true;
    if (slice_eq(name, S("create_time"))) {
        if (!w->has_create_time)
            w->e->create_time = n;
        w->has_create_time = true;
    } else if (slice_eq(name, S("ret_flags"))) {
        w->e->ret_flags = n == RET_FULL || n == RET_HEADERS ? (int)n : RET_NONE;
    } else if (slice_eq(name, S("trace_flags"))) {
        w->e->trace_flags = (int)(n & INT32_MAX);
        w->e->trace_offset = offset;
    }
    return true;
}

static bool take_attribute(struct walk *w, slice data, int64_t offset)
{
    slice name, value, *to;
    int64_t n;

    if (!attribute_parse(data, &name, &value))
        return !w->strict || walk_corrupt(w, "missing attribute value or name in named attribute record");
    if (slice_eq(name, S("dsn_orig_rcpt")))
        return keep(w, value, &w->pending.dsn_orig_rcpt);
    if (slice_eq(name, S("notify_flags"))) {
        if (parse_count(value, &n) && n <= (NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY))
            w->pending.notify = (int)n;
        return true;
    }
    if (w->e == NULL || value.n == 0)
        return true;
    to = text_attribute(w, name);
    return to != NULL ? keep(w, value, to) : take_number_attribute(w, name, value, offset);
}

bool record_starts_recipient(int type)
{
    return type == RECORD_RECIPIENT || type == RECORD_DONE || type == RECORD_CANCELED;
}

/* FULL is set when a recipient had to be left for later. */
static bool take_recipient(struct walk *w, int type, slice data, int64_t offset)
{
    struct recipient r = w->pending;

    w->pending = (struct recipient){0};
    if (w->full)
        return true;
    if (type == RECORD_RECIPIENT && w->handed >= w->most) {
        w->full = true;
        return true;
    }
    w->cursor.counted++;
    if (type == RECORD_RECIPIENT)
        w->handed++;
    w->resume = queue_reader_offset(w->reader);
    if (type == RECORD_CANCELED || w->each == NULL)
        return true;
    if (!keep(w, data, &r.address))
        return false;
    r.offset = offset;
    return w->each(w->context, &r, type == RECORD_DONE) ||
           err_set(w->err, ERR_LIMIT, "%s: reading was stopped", w->path);
}

bool walk_take(struct walk *w, int type, slice data, int64_t offset)
{
    if (record_starts_recipient(type))
        return take_recipient(w, type, data, offset);
    if (type == RECORD_ORIGINAL_RECIPIENT)
        return keep(w, data, &w->pending.original);
    if (type == RECORD_ATTRIBUTE)
        return take_attribute(w, data, offset);
    if (w->e == NULL)
        return true;
    switch (type) {
    case RECORD_SIZE:
        return take_size(w, data);
    case RECORD_TIME:
        return take_time(w, data);
    case RECORD_FULL_NAME:
        return keep_first(w, data, &w->e->full_name);
    case RECORD_SENDER:
        if (w->e->has_sender)
            return true;
        w->e->has_sender = true;
        return keep(w, data, &w->e->sender);
    case RECORD_WARN_TIME:
        return take_warn_time(w, data, offset);
    case RECORD_LONG_TEXT:
        return keep(w, data, &w->e->filter);
    case RECORD_INSPECT:
        return keep(w, data, &w->e->inspect);
    case RECORD_REDIRECT:
        return keep(w, data, &w->e->redirect);
    case RECORD_VERP:
        return keep_first(w, data, &w->e->verp);
    default:
        return true;
    }
}
