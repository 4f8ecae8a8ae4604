#include "commands/postqueue/print.h"

#include <string.h>
#include <time.h>

#include "core/base/cut.h"
#include "core/base/utf8.h"
#include "mail/queue/id.h"

enum { REASON_COLUMN = 76, TIME_BYTES = 24 };

/* Listings are long: what is shown of each message and recipient is put together without printf. */
static void add_blanks(size_t count, struct buf *out)
{
    static const slice blanks = S_INIT("                                                                            ");

    (void)buf_add(out, slice_head(blanks, count));
}

static void add_left(slice text, size_t width, struct buf *out)
{
    (void)buf_add(out, text);
    if (text.n < width)
        add_blanks(width - text.n, out);
}

static void add_right(slice text, size_t width, struct buf *out)
{
    if (text.n < width)
        add_blanks(width - text.n, out);
    (void)buf_add(out, text);
}

static void two_digits(int value, char blank, char *to)
{
    to[0] = value < 10 ? blank : (char)('0' + value / 10);
    to[1] = (char)('0' + value % 10);
}

/* "Fri Nov 27 17:55:40 2026" */
static slice local_time(int64_t seconds, char to[TIME_BYTES + 8])
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t when = (time_t)seconds;
    struct tm tm;

    if (localtime_r(&when, &tm) == NULL || tm.tm_year < -900 || tm.tm_year >= 8100)
        return S("");
    memset(to, ' ', TIME_BYTES);
    memcpy(to, days + 3 * tm.tm_wday, 3);
    memcpy(to + 4, months + 3 * tm.tm_mon, 3);
    two_digits(tm.tm_mday, ' ', to + 8);
    two_digits(tm.tm_hour, '0', to + 11);
    to[13] = to[16] = ':';
    two_digits(tm.tm_min, '0', to + 14);
    two_digits(tm.tm_sec, '0', to + 17);
    two_digits((tm.tm_year + 1900) / 100, '0', to + 20);
    two_digits((tm.tm_year + 1900) % 100, '0', to + 22);
    return slice_of(to, TIME_BYTES);
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
    slice mark = m->forced_expire                       ? S("#")
                 : slice_eq(m->queue_name, S("active")) ? S("*")
                 : slice_eq(m->queue_name, S("hold"))   ? S("!")
                                                        : S("");
    size_t id_width = t->long_ids ? 17 : 11, time_bytes = t->long_ids ? 19 : 20;
    char when[TIME_BYTES + 8], number[I64_TEXT];

    if (t->messages == 0)
        heading(t->long_ids, out);
    else
        (void)buf_add_char(out, '\n');
    t->messages++;
    t->bytes += m->size;
    buf_clear(&t->reason);
    (void)buf_add(out, m->queue_id);
    add_left(mark, m->queue_id.n < id_width ? id_width - m->queue_id.n : 0, out);
    (void)buf_add_char(out, ' ');
    add_right(slice_of_i64(m->size, number), t->long_ids ? 8 : 7, out);
    (void)buf_add_char(out, ' ');
    add_right(slice_head(local_time(m->time, when), time_bytes), time_bytes, out);
    (void)buf_add_char(out, ' ');
    (void)buf_add(out, m->sender);
    (void)buf_add_char(out, '\n');
}

void print_recipient(struct listing_total *t, slice address, slice reason, struct buf *out)
{
    if (!slice_eq(reason, buf_slice(&t->reason))) {
        slice shown = reason.n > 0 ? reason : S("reason unavailable");

        add_blanks(shown.n < REASON_COLUMN ? REASON_COLUMN - shown.n : 0, out);
        (void)buf_add_char(out, '(');
        (void)buf_add(out, shown);
        (void)buf_add(out, S(")\n"));
        buf_clear(&t->reason);
        (void)buf_add(&t->reason, reason);
    }
    add_blanks(t->long_ids ? 47 : 41, out); /* under the sender */
    (void)buf_add(out, address);
    (void)buf_add_char(out, '\n');
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

static bool is_plain(char c)
{
    return ascii_is_print(c) && c != '"' && c != '\\';
}

/* One character that JSON cannot have as it is; or several bytes that are one. */
static slice add_special(slice s, struct buf *out)
{
    static const char escapes[] = "\bb\ff\nn\rr\tt\"\"\\\\";
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
    return slice_skip(s, n > 0 ? n : 1);
}

static void json_string(slice s, struct buf *out)
{
    slice plain;

    (void)buf_add_char(out, '"');
    while (s.n > 0) {
        if (cut_while(&s, is_plain, &plain))
            (void)buf_add(out, plain);
        else
            s = add_special(s, out);
    }
    (void)buf_add_char(out, '"');
}

/* NAME is quoted, with a colon and a blank. */
static void member(slice name, slice value, struct buf *out)
{
    (void)buf_add(out, name);
    json_string(value, out);
}

static void member_number(slice name, int64_t value, struct buf *out)
{
    char number[I64_TEXT];

    (void)buf_add(out, name);
    (void)buf_add(out, slice_of_i64(value, number));
}

void json_message(struct listing_total *t, const struct queued_message *m, struct buf *out)
{
    t->messages++;
    t->first_recipient = true;
    (void)buf_add_char(out, '{');
    member(S("\"queue_name\": "), m->queue_name, out);
    member(S(", \"queue_id\": "), m->queue_id, out);
    member_number(S(", \"arrival_time\": "), m->time, out);
    member_number(S(", \"message_size\": "), m->size, out);
    (void)buf_add(out, m->forced_expire ? S(", \"forced_expire\": true") : S(", \"forced_expire\": false"));
    member(S(", \"sender\": "), m->sender, out);
    (void)buf_add(out, S(", \"recipients\": ["));
}

void json_recipient(struct listing_total *t, slice address, slice reason, struct buf *out)
{
    (void)buf_add(out, t->first_recipient ? S("{") : S(", {"));
    t->first_recipient = false;
    member(S("\"address\": "), address, out);
    if (reason.n > 0)
        member(S(", \"delay_reason\": "), reason, out);
    (void)buf_add_char(out, '}');
}

void json_message_end(struct buf *out)
{
    (void)buf_add(out, S("]}\n"));
}
