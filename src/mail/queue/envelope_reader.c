#include "mail/queue/envelope_reader.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "core/base/cut.h"

/* Where the reading stands.  Recipients past the limit are not handed out, but other records are still looked at as far
 * as the size record's flags say that there may be some. */
enum segment { IN_ENVELOPE, IN_CONTENT, IN_EXTRACTED, RESUMED /* in the first or the last, not known which */ };

struct walk {
    const char *path;
    struct queue_reader *reader;
    struct arena *arena;
    struct envelope *e;
    struct envelope_cursor cursor;
    size_t most, handed;
    envelope_recipient_fn *each;
    void *context;
    struct err *err;
    enum segment segment;
    bool strict, full, has_size, has_create_time, ended;
    int64_t resume;           /* after the last recipient that was handed out */
    struct recipient pending; /* what came before the R record */
    slice client[5], log_client[5];
};

enum { NAME_AT, ADDRESS_AT, PORT_AT, PROTOCOL_AT, HELO_AT };

static bool corrupt(struct walk *w, const char *what)
{
    return err_set(w->err, ERR_CORRUPT, "%s", what);
}

static bool keep(struct walk *w, slice text, slice *to)
{
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

static bool take_size(struct walk *w, slice data)
{
    struct size_record size;

    if (w->has_size || !w->e)
        return true;
    if (!size_record_parse(data, &size))
        return !w->strict || corrupt(w, "invalid size record");
    /* sendmail of later releases sends one with options only. */
    if (!w->strict && (size.message_bytes <= 0 || size.data_offset <= 0)) {
        w->e->sendopts = size.sendopts > 0 ? (int)size.sendopts : 0;
        return true;
    }
    if (size.message_bytes <= 0 || size.data_offset <= 0)
        return corrupt(w, "invalid size record");
    if ((size.qmgr_flags & ~INT64_C(0x1f)) != 0)
        return !w->strict || corrupt(w, "invalid flags in size record");
    if (size.content_bytes < 0)
        return !w->strict || corrupt(w, "weird size record");
    w->e->size = size;
    w->e->sendopts = (int)(size.sendopts & 0x7fffffff);
    w->has_size = true;
    return true;
}

static bool take_time(struct walk *w, slice data)
{
    int64_t seconds, micros = 0;
    slice word;

    if (w->e->has_time)
        return true;
    if (!cut_word(&data, " ", &word) || !parse_count(word, &seconds) || seconds > INT64_MAX / SECONDS(1) - 1 ||
        (cut_word(&data, " ", &word) && (!parse_count(word, &micros) || micros >= SECONDS(1))))
        return !w->strict || corrupt(w, "invalid message arrival time");
    w->e->arrival_us = seconds * SECONDS(1) + micros;
    w->e->has_time = true;
    return true;
}

static bool take_warn_time(struct walk *w, slice data, int64_t offset)
{
    int64_t when;

    if (slice_to_i64(slice_trim(data), &when) && when > 0) {
        w->e->warn_time = when;
        w->e->warn_offset = offset + 2;
    }
    return true;
}

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

static bool take_number_attribute(struct walk *w, slice name, slice value, int64_t offset)
{
    int64_t n;

    if (!parse_count(value, &n) || n > INT32_MAX * INT64_C(4)) {
        if (slice_eq(name, S("create_time")) || slice_eq(name, S("ret_flags")) || slice_eq(name, S("trace_flags")))
            return !w->strict || corrupt(w, "invalid number in named attribute");
        return true;
    }
    if (slice_eq(name, S("create_time"))) {
        if (!w->has_create_time)
            w->e->create_time = n;
        w->has_create_time = true;
    } else if (slice_eq(name, S("ret_flags"))) {
        w->e->ret_flags = (int)(n & INT32_MAX);
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
        return !w->strict || corrupt(w, "missing attribute value or name in named attribute record");
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

static bool is_recipient_start(int type)
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

static bool take_record(struct walk *w, int type, slice data, int64_t offset)
{
    if (is_recipient_start(type))
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

/* M has been read: on to the X record, by the size record when there is one. */
static bool leave_envelope(struct walk *w, const struct size_record *size)
{
    w->segment = w->has_size ? IN_EXTRACTED : IN_CONTENT;
    if (!w->has_size)
        return !w->strict || corrupt(w, "missing size record");
    return queue_reader_seek(w->reader, size->data_offset + size->message_bytes, w->err);
}

static bool type_fits(struct walk *w, int type)
{
    switch (w->segment) {
    case IN_ENVELOPE:
        return record_in_envelope(type);
    case IN_CONTENT:
        return record_in_content(type);
    case RESUMED:
        return type == RECORD_EXTRACTED || record_in_envelope(type) || record_in_extracted(type);
    default:
        return type == RECORD_EXTRACTED || record_in_extracted(type);
    }
}

/* The limit is reached, and the size record says that only recipients follow in this segment: on to the last segment,
 * where content filters and the like stand before the recipients. */
static bool skip_recipients(struct walk *w, const struct size_record *size)
{
    return w->full && w->segment == IN_ENVELOPE && (size->qmgr_flags & 1) == 0 && w->has_size;
}

/* Nothing but recipients is left, and they are for later. */
static bool may_stop(struct walk *w, const struct size_record *size, int type)
{
    if (!w->full)
        return false;
    return w->e == NULL || (w->segment == IN_EXTRACTED && is_recipient_start(type) && (size->qmgr_flags & 1) == 0);
}

static bool place_record(struct walk *w, const struct size_record *size, int type, slice data, int64_t offset)
{
    if (!type_fits(w, type))
        return err_set(w->err, ERR_CORRUPT, "unexpected record type %d at offset %lld", type, (long long)offset);
    if (type == RECORD_CONTENT)
        return leave_envelope(w, size);
    if (type == RECORD_EXTRACTED)
        w->segment = IN_EXTRACTED;
    else if (type == RECORD_END)
        w->ended = true;
    else if (w->segment != IN_CONTENT)
        return take_record(w, type, data, offset);
    return true;
}

/* Reads to the end, or as far as recipients are wanted. */
static bool walk_records(struct walk *w, const struct size_record *size)
{
    while (!w->ended) {
        int64_t offset;
        slice data;
        int type;

        if (skip_recipients(w, size) && !leave_envelope(w, size))
            return false;
        switch (queue_reader_next(w->reader, &type, &data, &offset, w->err)) {
        case RECORD_BAD:
            return false;
        case RECORD_EOF:
            return !w->strict || corrupt(w, "missing end record");
        case RECORD_READ:
            break;
        }
        if (!place_record(w, size, type, data, offset))
            return false;
        if (may_stop(w, size, type))
            return true;
    }
    return true;
}

static void merge_client(struct walk *w)
{
    slice *to[] = {&w->e->client_name, &w->e->client_address, &w->e->client_port, &w->e->protocol_name,
                   &w->e->helo_name};
    bool logged = false;

    /* The log_* set counts as a whole: what it leaves out was not known of the origin. */
    for (size_t i = 0; i < COUNT_OF(to); i++)
        logged = logged || w->log_client[i].n > 0;
    for (size_t i = 0; i < COUNT_OF(to); i++)
        *to[i] = logged ? w->log_client[i] : w->client[i];
}

static bool check_complete(struct walk *w)
{
    if (!w->strict)
        return true;
    if (!w->has_size)
        return corrupt(w, "missing size record");
    if (!w->e->has_time)
        return corrupt(w, "missing arrival time record");
    if (!w->e->has_sender)
        return corrupt(w, "missing sender record");
    return true;
}

static void finish_cursor(struct walk *w, const struct size_record *size, struct envelope_cursor *cursor)
{
    *cursor = w->cursor;
    cursor->next_offset = w->full ? w->resume : 0;
    cursor->unread = w->full && size->recipients > w->cursor.counted ? size->recipients - w->cursor.counted : 0;
    if (w->full && cursor->unread == 0)
        cursor->unread = 1; /* the size record counts too few: there is at least one */
}

static bool read_all(struct walk *w, int fd, struct envelope *out, struct envelope_cursor *cursor)
{
    struct envelope e = {0};
    bool read;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(w->err, "%s: seek", w->path);
    AUTO_QUEUE_READER struct queue_reader *reader = queue_reader_open(fd, w->path, 0);
    w->reader = reader;
    w->e = &e;
    read = walk_records(w, &e.size);
    if (!read && (w->strict || w->err->kind != ERR_CORRUPT))
        return false;
    if (!check_complete(w))
        return false;
    merge_client(w);
    if (!w->has_create_time)
        e.create_time = e.arrival_us / SECONDS(1);
    finish_cursor(w, &e.size, cursor);
    *out = e;
    return true;
}

bool envelope_read(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                   void *context, struct envelope *out, struct envelope_cursor *cursor, struct err *err)
{
    struct walk w = {
        .path = path, .arena = arena, .most = most, .each = each, .context = context, .err = err, .strict = true};

    return read_all(&w, fd, out, cursor);
}

bool envelope_read_loose(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                         void *context, struct envelope *out, struct envelope_cursor *cursor, struct err *err)
{
    struct walk w = {.path = path, .arena = arena, .most = most, .each = each, .context = context, .err = err};

    return read_all(&w, fd, out, cursor);
}

/* The size record alone, from the file's first record. */
static bool read_size(struct walk *w, int fd, struct size_record *size)
{
    char head[512];
    ssize_t n = pread(fd, head, sizeof head, 0);
    slice in = slice_of(head, n < 0 ? 0 : (size_t)n), data;
    int type;

    if (n < 0)
        return err_sys(w->err, "%s: read", w->path);
    if (cut_record(&in, &type, &data) != RECORD_READ || type != RECORD_SIZE || !size_record_parse(data, size) ||
        size->message_bytes <= 0 || size->data_offset <= 0)
        return corrupt(w, "invalid size record");
    return true;
}

bool envelope_read_more(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                        void *context, struct envelope_cursor *cursor, struct err *err)
{
    struct walk w = {.path = path,
                     .arena = arena,
                     .most = most,
                     .each = each,
                     .context = context,
                     .err = err,
                     .strict = true,
                     .has_size = true,
                     .cursor = *cursor,
                     .resume = cursor->next_offset};
    struct size_record size;

    if (cursor->next_offset == 0)
        return true;
    if (!read_size(&w, fd, &size))
        return false;
    if (lseek(fd, cursor->next_offset, SEEK_SET) < 0)
        return err_sys(err, "%s: seek", path);
    AUTO_QUEUE_READER struct queue_reader *reader = queue_reader_open(fd, path, 0);
    w.reader = reader;
    w.segment = RESUMED;
    if (!walk_records(&w, &size))
        return false;
    finish_cursor(&w, &size, cursor);
    return true;
}
