#include "route/qmgr/listing.h"

#include "mail/events/events.h"
#include "mail/index/mentions.h"
#include "mail/proto/showq.h"
#include "mail/queue/dir.h"
#include "route/qmgr/state.h"

enum {
    RUN_BYTES = 32 * 1024,
    SLICE = 200, /* messages looked at in a row */
    ADDRESS_MOST = 1 << 20,
};

struct listing {
    struct stream *out;
    deadline by;
    struct err *err;
    const struct qmgr_list_rest *ask;
    slice if_empty; /* empty_address_recipient in external form */
    struct buf run; /* messages not written yet */
    unsigned looked_at;
};

static slice queue_name(const struct index_entry *e)
{
    return e->queue == INDEX_HOLD ? S(QUEUE_HOLD) : S(QUEUE_DEFERRED);
}

static bool write_head(struct listing *l, slice queue, slice id, size_t bytes)
{
    return ipc_write(l->out, &qmgr_run_shape, &(struct qmgr_run){queue, id, (int64_t)bytes}, l->by, l->err);
}

static bool write_run(struct listing *l)
{
    bool written = l->run.n == 0 ||
                   (write_head(l, S(""), S(""), l->run.n) && stream_write(l->out, buf_slice(&l->run), l->by, l->err));

    buf_clear(&l->run);
    return written;
}

static struct showq_address address(const struct listing *l, slice local, const struct interned *domain)
{
    return (struct showq_address){local, domain == NULL ? (slice){0} : interned_text(domain), domain != NULL,
                                  l->if_empty};
}

static void add(struct listing *l, const struct index_entry *e)
{
    const struct details *d = e->details;
    const struct showq_message head = {queue_name(e), index_id(e), d->arrival_s, d->message_bytes, e->forced_expire};
    struct showq_address shown = address(l, details_sender(d), d->sender_domain);
    const char *local = shown.local.p + shown.local.n;

    showq_add_message(&l->run, &head, &shown);
    for (const struct mention *m = d->mentions; m < d->mentions + d->count; m++) {
        shown = address(l, slice_of(local, m->local_bytes), m->domain);
        showq_add_recipient(&l->run, &shown, m->reason == NULL ? (slice){0} : interned_text(m->reason));
        local += m->local_bytes;
    }
    showq_add_end(&l->run);
}

/* Is KNOWN one of those asked for? */
static bool matches(const struct listing *l, const struct details *known)
{
    const struct qmgr_list_rest *ask = l->ask;
    slice sender = slice_eq(ask->sender, S("<>")) ? S("") : ask->sender;
    bool is_for_domain = ask->domain.n == 0;

    if (ask->sender.n > 0 && !details_is_address(sender, details_sender(known), known->sender_domain))
        return false;
    for (size_t i = 0; i < known->count && !is_for_domain; i++)
        is_for_domain =
            known->mentions[i].domain != NULL && slice_eq_case(interned_text(known->mentions[i].domain), ask->domain);
    return is_for_domain;
}

/* False: the client has gone, or the task is cancelled.  E may have gone afterwards. */
static bool tell(struct listing *l, const struct index_entry *e)
{
    if (e->state != INDEX_KNOWN) {
        char id[UINT8_MAX];

        memcpy(id, e->id, e->id_bytes);
        return write_head(l, queue_name(e), slice_of(id, e->id_bytes), 0);
    }
    if (matches(l, e->details))
        add(l, e);
    return l->run.n < RUN_BYTES || write_run(l);
}

static bool take_turns(struct listing *l)
{
    return ++l->looked_at % SLICE != 0 || task_yield(l->err);
}

static bool is_asked(const struct listing *l, slice queue)
{
    return l->ask->queue_name.n == 0 || slice_eq(l->ask->queue_name, queue);
}

static bool tell_queue(struct listing *l, enum index_queue queue)
{
    struct index_cursor cursor;
    const struct index_entry *e;
    bool alive = true;

    index_cursor_begin(&qmgr.index, queue, &cursor);
    while (alive && (e = index_cursor_next(&cursor)) != NULL)
        alive = tell(l, e) && take_turns(l);
    index_cursor_end(&cursor);
    return alive;
}

static bool tell_domain(struct listing *l)
{
    struct index_mentions mentions;
    const struct index_entry *e;
    bool alive = true;

    index_mentions_begin(&qmgr.index, l->ask->domain, &mentions);
    while (alive && (e = index_mentions_next(&mentions)) != NULL)
        alive = (!is_asked(l, queue_name(e)) || tell(l, e)) && take_turns(l);
    index_mentions_end(&mentions);
    return alive;
}

static bool tell_all(struct listing *l)
{
    if (l->ask->domain.n > 0 && index_is_complete(&qmgr.index))
        return tell_domain(l);
    return (!is_asked(l, S(QUEUE_DEFERRED)) || tell_queue(l, INDEX_DEFERRED)) &&
           (!is_asked(l, S(QUEUE_HOLD)) || tell_queue(l, INDEX_HOLD));
}

bool listing_write(struct stream *s, const struct qmgr_list_rest *ask, deadline by, struct err *err)
{
    AUTO_BUF struct buf if_empty = BUF_INIT(ADDRESS_MOST), run = BUF_INIT(QMGR_RUN_MOST);
    struct listing l = {.out = s, .by = by, .err = err, .ask = ask};
    bool written;

    event_print_address(slice_text(qmgr.params->empty_address_recipient), &if_empty);
    l.if_empty = buf_slice(&if_empty);
    l.run = run;
    written = tell_all(&l) && write_run(&l) && write_head(&l, S(""), S(""), 0);
    run = l.run; /* for its end */
    return written;
}
