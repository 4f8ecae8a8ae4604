#include "mail/proto/showq.h"

#include "core/base/cut.h"

#define NAME(literal) S(literal "\0")

static void add_value(struct buf *out, slice value)
{
    (void)buf_add(out, value);
    (void)buf_add_char(out, '\0');
}

static void add_number(struct buf *out, int64_t value)
{
    char room[I64_TEXT];

    add_value(out, slice_of_i64(value, room));
}

static void add_address(struct buf *out, const struct showq_address *a)
{
    if (a->local.n == 0 && !a->has_domain) {
        add_value(out, a->if_empty);
        return;
    }
    (void)buf_add(out, a->local);
    if (a->has_domain) {
        (void)buf_add_char(out, '@');
        (void)buf_add(out, a->domain);
    }
    (void)buf_add_char(out, '\0');
}

void showq_add_message(struct buf *out, const struct showq_message *m, const struct showq_address *sender)
{
    (void)buf_add(out, NAME("queue_name"));
    add_value(out, m->queue_name);
    (void)buf_add(out, NAME("queue_id"));
    add_value(out, m->queue_id);
    (void)buf_add(out, NAME("time"));
    add_number(out, m->time);
    (void)buf_add(out, NAME("size"));
    add_number(out, m->size);
    (void)buf_add(out, m->forced_expire ? S("forced_expire\0001\0") : S("forced_expire\0000\0"));
    (void)buf_add(out, NAME("sender"));
    add_address(out, sender);
}

void showq_add_recipient(struct buf *out, const struct showq_address *recipient, slice reason)
{
    (void)buf_add(out, NAME("recipient"));
    add_address(out, recipient);
    (void)buf_add(out, NAME("reason"));
    add_value(out, reason);
}

void showq_add_end(struct buf *out)
{
    (void)buf_add_char(out, '\0');
}
