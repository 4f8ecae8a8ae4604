#include "commands/postqueue/print.h"

#include <string.h>
#include <time.h>

#include "core/base/utf8.h"
#include "mail/queue/id.h"

enum { REASON_COLUMN = 76, TIME_TEXT = 32 };

static void asctime_local(int64_t seconds, char to[TIME_TEXT])
{
    time_t when = (time_t)seconds;
    struct tm tm;

    (void)localtime_r(&when, &tm);
    (void)strftime(to, TIME_TEXT, "%a %b %e %H:%M:%S %Y\n", &tm);
}

static void heading(bool long_ids, struct buf *out)
{
    if (long_ids)
        (void)buf_addf(out, "%-17s %8s %-19s %s\n", "----Queue ID-----", "--Size--", "---Arrival Time----",
                       "--Sender/Recipient------");
    else
        (void)buf_addf(out, "%-11s %7s %-20s %s\n", "-Queue ID-", "--Size--", "----Arrival Time----",
                       "-Sender/Recipient-------");
}

void print_message(struct listing_total *t, const struct queued_message *m, struct buf *out)
{
    const char *mark = slice_eq(m->queue_name, S("active")) ? "*" : slice_eq(m->queue_name, S("hold")) ? "!" : "";
    AUTO_BUF struct buf id = BUF_INIT(300);
    char when[TIME_TEXT];

    if (t->messages == 0)
        heading(t->long_ids, out);
    else
        (void)buf_add_char(out, '\n');
    t->messages++;
    t->bytes += m->size;
    buf_clear(&t->reason);
    asctime_local(m->time, when);
    (void)buf_addf(&id, "%.*s%s", S_ARG(m->queue_id), m->forced_expire ? "#" : mark);
    if (t->long_ids)
        (void)buf_addf(out, "%-17s %8lld %19.19s %.*s\n", buf_text(&id), (long long)m->size, when, S_ARG(m->sender));
    else
        (void)buf_addf(out, "%-11s %7lld %20.20s %.*s\n", buf_text(&id), (long long)m->size, when, S_ARG(m->sender));
}

void print_recipient(struct listing_total *t, slice address, slice reason, struct buf *out)
{
    if (!slice_eq(reason, buf_slice(&t->reason))) {
        slice shown = reason.n > 0 ? reason : S("reason unavailable");
        int pad = shown.n < REASON_COLUMN ? REASON_COLUMN - (int)shown.n : 0;

        (void)buf_addf(out, "%*s(%.*s)\n", pad, "", S_ARG(shown));
        buf_clear(&t->reason);
        (void)buf_add(&t->reason, reason);
    }
    if (t->long_ids)
        (void)buf_addf(out, "%-17s %8s %-19s %.*s\n", "", "", "", S_ARG(address));
    else
        (void)buf_addf(out, "%-11s %7s %-20s %.*s\n", "", "", "", S_ARG(address));
}

void print_end(const struct listing_total *t, struct buf *out)
{
    if (t->messages == 0)
        (void)buf_add(out, S("Mail queue is empty\n"));
    else
        (void)buf_addf(out, "\n-- %lld Kbytes in %ld Request%s.\n", (long long)(t->bytes / 1024), t->messages,
                       t->messages == 1 ? "" : "s");
}

/* ---- JSON ---- */

static void json_string(slice s, struct buf *out)
{
    static const char escapes[] = "\bb\ff\nn\rr\tt\"\"\\\\";

    (void)buf_add_char(out, '"');
    while (s.n > 0) {
        const char *escape = s.p[0] != '\0' ? strchr(escapes, s.p[0]) : NULL;
        size_t n = utf8_length(s);

        if (escape != NULL && (escape - escapes) % 2 == 0)
            (void)buf_addf(out, "\\%c", escape[1]);
        else if ((unsigned char)s.p[0] < ' ' || s.p[0] == 127)
            (void)buf_addf(out, "\\u%04X", (unsigned char)s.p[0]);
        else if (n == 0)
            (void)buf_add_char(out, '?');
        else
            (void)buf_add(out, slice_head(s, n));
        s = slice_skip(s, n > 0 ? n : 1);
    }
    (void)buf_add_char(out, '"');
}

static void member(const char *name, slice value, struct buf *out)
{
    (void)buf_addf(out, "\"%s\": ", name);
    json_string(value, out);
}

void json_message(struct listing_total *t, const struct queued_message *m, struct buf *out)
{
    t->messages++;
    t->first_recipient = true;
    (void)buf_add_char(out, '{');
    member("queue_name", m->queue_name, out);
    (void)buf_add(out, S(", "));
    member("queue_id", m->queue_id, out);
    (void)buf_addf(out, ", \"arrival_time\": %lld, \"message_size\": %lld, \"forced_expire\": %s, ", (long long)m->time,
                   (long long)m->size, m->forced_expire ? "true" : "false");
    member("sender", m->sender, out);
    (void)buf_add(out, S(", \"recipients\": ["));
}

void json_recipient(struct listing_total *t, slice address, slice reason, struct buf *out)
{
    (void)buf_add(out, t->first_recipient ? S("{") : S(", {"));
    t->first_recipient = false;
    member("address", address, out);
    if (reason.n > 0) {
        (void)buf_add(out, S(", "));
        member("delay_reason", reason, out);
    }
    (void)buf_add_char(out, '}');
}

void json_message_end(struct buf *out)
{
    (void)buf_add(out, S("]}\n"));
}
