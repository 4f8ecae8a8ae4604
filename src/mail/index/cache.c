#include "mail/index/cache.h"

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "mail/queue/id.h"

enum { VERSION = 1, BLOCK_FULL = 64 * 1024, TEXTS_FULL = CACHE_TEXTS_MOST - DETAILS_MOST_RECIPIENTS - 1 };

static const char magic[8] = "WBindex";

/* ---- numbers: seven bits a byte, the low ones first; the highest bit of a byte says that more follow ---- */

static void add_number(struct buf *out, uint64_t value)
{
    while (value >= 128) {
        (void)buf_add_char(out, (char)(value | 128));
        value >>= 7;
    }
    (void)buf_add_char(out, (char)value);
}

static bool cut_number(slice *in, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < in->n && i < 10; i++) {
        unsigned char byte = (unsigned char)in->p[i];

        if (i == 9 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 127) << (7 * i);
        if (byte < 128) {
            *in = slice_skip(*in, i + 1);
            *out = value;
            return true;
        }
    }
    return false;
}

static bool cut_signed(slice *in, int64_t *out)
{
    uint64_t value;

    if (!cut_number(in, &value))
        return false;
    *out = (int64_t)value;
    return true;
}

static void add_text(struct buf *out, slice text)
{
    add_number(out, text.n);
    (void)buf_add(out, text);
}

/* A text ends with NUL wherever it is used. */
static bool cut_text(slice *in, slice *out)
{
    slice rest = *in, text;
    uint64_t n;

    if (!cut_number(&rest, &n) || n > rest.n)
        return false;
    text = slice_head(rest, n);
    if (slice_has_nul(text))
        return false;
    *in = slice_skip(rest, n);
    *out = text;
    return true;
}

static void add_fixed(struct buf *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        (void)buf_add_char(out, (char)(value >> (8 * i)));
}

static uint64_t fixed(const char *at, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

uint64_t cache_checksum(slice payload)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < payload.n; i++)
        hash = (hash ^ (unsigned char)payload.p[i]) * 1099511628211u;
    return hash;
}

/* ---- writing ---- */

void cache_writer_init(struct cache_writer *w)
{
    *w = (struct cache_writer){.texts = BUF_INIT(CACHE_PAYLOAD_MOST / 2), .messages = BUF_INIT(CACHE_PAYLOAD_MOST / 2)};
    map_init(&w->numbers);
}

void cache_writer_done(struct cache_writer *w)
{
    buf_done(&w->texts);
    buf_done(&w->messages);
    map_done(&w->numbers, NULL);
}

/* The number of a text that messages share; it is in the block once. */
static void add_shared(struct cache_writer *w, slice text)
{
    uintptr_t number = (uintptr_t)map_get(&w->numbers, text);

    if (number == 0) {
        add_text(&w->texts, text);
        number = ++w->text_count;
        (void)map_set(&w->numbers, text, (void *)number);
    }
    add_number(&w->messages, number);
}

/* LOCAL@DOMAIN in one piece. */
static slice join(struct buf *room, slice local, const struct interned *domain)
{
    buf_clear(room);
    (void)buf_add(room, local);
    if (domain != NULL) {
        (void)buf_add_char(room, '@');
        (void)buf_add(room, interned_text(domain));
    }
    return buf_slice(room);
}

void cache_add(struct cache_writer *w, const struct index_entry *e)
{
    const struct details *d = e->details;
    slice sender = details_sender(d);
    const char *local = sender.p + sender.n;
    AUTO_BUF struct buf room = BUF_INIT(2 * DETAILS_MOST_BYTES);

    if (e->changed_us < 0)
        return;
    add_number(&w->messages, e->queue);
    add_text(&w->messages, index_id(e));
    add_number(&w->messages, e->inode);
    add_number(&w->messages, (uint64_t)e->bytes);
    add_number(&w->messages, (uint64_t)(e->changed_us / SECONDS(1)));
    add_number(&w->messages, (uint64_t)d->arrival_s);
    add_number(&w->messages, (uint64_t)d->message_bytes);
    add_shared(w, join(&room, sender, d->sender_domain));
    add_number(&w->messages, d->count);
    for (const struct mention *m = d->mentions; m < d->mentions + d->count; m++) {
        add_text(&w->messages, join(&room, slice_of(local, m->local_bytes), m->domain));
        add_shared(w, m->reason == NULL ? S("") : interned_text(m->reason));
        local += m->local_bytes;
    }
    w->message_count++;
}

bool cache_is_full(const struct cache_writer *w)
{
    return w->messages.n + w->texts.n >= BLOCK_FULL || w->text_count >= TEXTS_FULL;
}

static void add_payload(const struct cache_writer *w, struct buf *out)
{
    add_number(out, w->text_count);
    (void)buf_add(out, buf_slice(&w->texts));
    add_number(out, w->message_count);
    (void)buf_add(out, buf_slice(&w->messages));
}

void cache_add_block(struct cache_writer *w, uint32_t view, struct buf *out)
{
    AUTO_BUF struct buf payload = BUF_INIT(CACHE_PAYLOAD_MOST);

    BUG_IF(w->texts.overflow || w->messages.overflow);
    if (w->message_count > 0)
        add_payload(w, &payload);
    (void)buf_add(out, slice_of(magic, sizeof magic));
    add_fixed(out, VERSION, 4);
    add_fixed(out, view, 4);
    add_fixed(out, payload.n, 4);
    add_fixed(out, cache_checksum(buf_slice(&payload)), 8);
    (void)buf_add(out, buf_slice(&payload));
    buf_clear(&w->texts);
    buf_clear(&w->messages);
    map_done(&w->numbers, NULL);
    map_init(&w->numbers);
    w->text_count = w->message_count = 0;
}

/* ---- reading ---- */

bool cache_head_parse(slice head, uint32_t view, struct cache_head *out)
{
    struct cache_head h;

    if (head.n != CACHE_HEAD_BYTES || !slice_starts(head, slice_of(magic, sizeof magic)) ||
        fixed(head.p + 8, 4) != VERSION || fixed(head.p + 12, 4) != view)
        return false;
    h.payload_bytes = (uint32_t)fixed(head.p + 16, 4);
    h.checksum = fixed(head.p + 20, 8);
    if (h.payload_bytes > CACHE_PAYLOAD_MOST)
        return false;
    *out = h;
    return true;
}

struct reading {
    slice rest;
    struct cache_room *room;
    size_t text_count;
};

static bool take_shared(struct reading *r, slice *out)
{
    uint64_t number;

    if (!cut_number(&r->rest, &number) || number == 0 || number > r->text_count)
        return false;
    *out = r->room->texts[number - 1];
    return true;
}

static bool take_texts(struct reading *r)
{
    uint64_t count;

    if (!cut_number(&r->rest, &count) || count > CACHE_TEXTS_MOST)
        return false;
    while (r->text_count < count)
        if (!cut_text(&r->rest, &r->room->texts[r->text_count++]))
            return false;
    return true;
}

static bool take_recipients(struct reading *r, struct shown *m)
{
    uint64_t count;

    if (!cut_number(&r->rest, &count) || count > DETAILS_MOST_RECIPIENTS)
        return false;
    m->recipients = r->room->recipients;
    m->count = count;
    for (size_t i = 0; i < count; i++)
        if (!cut_text(&r->rest, &m->recipients[i].address) || !take_shared(r, &m->recipients[i].reason))
            return false;
    return true;
}

static bool take_message(struct reading *r, struct cached *m)
{
    uint64_t queue;
    int64_t changed_s;

    *m = (struct cached){0};
    if (!cut_number(&r->rest, &queue) || queue >= INDEX_QUEUES || !cut_text(&r->rest, &m->id) ||
        !queue_id_valid(m->id) || !cut_number(&r->rest, &m->file.inode) || !cut_signed(&r->rest, &m->file.bytes) ||
        !cut_signed(&r->rest, &changed_s) || changed_s < 0 || changed_s > INT64_MAX / SECONDS(1) ||
        !cut_signed(&r->rest, &m->shown.arrival_s) || !cut_signed(&r->rest, &m->shown.message_bytes) ||
        !take_shared(r, &m->shown.sender))
        return false;
    m->queue = (enum index_queue)queue;
    m->file.changed_us = changed_s * SECONDS(1);
    return take_recipients(r, &m->shown);
}

bool cache_payload_parse(slice payload, struct cache_room *room, cache_fn *each, void *context)
{
    struct reading r = {.rest = payload, .room = room};
    struct cached m;
    uint64_t count;

    if (!take_texts(&r) || !cut_number(&r.rest, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!take_message(&r, &m))
            return false;
        each(context, &m);
    }
    return r.rest.n == 0;
}
