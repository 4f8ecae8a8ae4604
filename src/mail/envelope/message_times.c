#include "mail/envelope/message_times.h"

#include <string.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"

/* The wire form is the native layout of these. */
struct wire {
    int64_t pairs[5][2]; /* seconds, microseconds */
    int32_t reuses;
    int32_t pad;
};
_Static_assert(sizeof(struct wire) == MESSAGE_TIMES_BYTES, "the wire form of message times");

void message_times_encode(const struct message_times *t, char to[MESSAGE_TIMES_BYTES])
{
    const int64_t times[] = {t->arrival_us, t->active_us, t->agent_us, t->connected_us, t->delivered_us};
    struct wire w = {.reuses = t->connection_reuses};

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        w.pairs[i][0] = times[i] / SECONDS(1);
        w.pairs[i][1] = times[i] % SECONDS(1);
    }
    memcpy(to, &w, sizeof w);
}

bool message_times_decode(slice bytes, struct message_times *out)
{
    int64_t times[5];
    struct wire w;

    if (bytes.n != sizeof w)
        return false;
    memcpy(&w, bytes.p, sizeof w);
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        if (w.pairs[i][1] < 0 || w.pairs[i][1] >= SECONDS(1) ||
            __builtin_mul_overflow(w.pairs[i][0], SECONDS(1), &times[i]) ||
            __builtin_add_overflow(times[i], w.pairs[i][1], &times[i]))
            return false;
    }
    *out = (struct message_times){times[0], times[1], times[2], times[3], times[4], w.reuses};
    return true;
}

/* Seconds with at most two significant digits and DECIMALS decimals; whole seconds are always complete. */
static bool print_delay(int64_t us, int decimals, struct buf *out)
{
    int64_t unit = SECONDS(1), value;
    int shown = 0;

    if (us < 0)
        us = 0;
    if (decimals > 6)
        decimals = 6;
    /* One decimal more as long as two digits are not yet used up. */
    while (shown < decimals && us / unit < 10) {
        unit /= 10;
        shown++;
    }
    value = (us + unit / 2) / unit * unit;
    if (!buf_add_number(out, value / SECONDS(1)))
        return false;
    value %= SECONDS(1);
    if (value > 0 && !buf_add_char(out, '.'))
        return false;
    for (unit = SECONDS(1) / 10; value > 0; unit /= 10) {
        if (!buf_add_char(out, (char)('0' + value / unit)))
            return false;
        value %= unit;
    }
    return true;
}

bool message_times_print(const struct message_times *t, int64_t now_us, int resolution_digits, struct buf *out)
{
    int64_t end = t->delivered_us != 0 ? t->delivered_us : now_us;
    int64_t setup_done = t->connected_us != 0 ? t->connected_us : t->agent_us;

    /* What an earlier stage has not set (a notice logged by the queue manager itself) counts as just now. */
    int64_t active = t->active_us != 0 ? t->active_us : end;
    int64_t agent = t->agent_us != 0 ? t->agent_us : end;
    if (setup_done == 0)
        setup_done = end;

    return buf_add(out, S("delay=")) && print_delay(end - t->arrival_us, resolution_digits, out) &&
           buf_add(out, S(", delays=")) && print_delay(active - t->arrival_us, resolution_digits, out) &&
           buf_add_char(out, '/') && print_delay(agent - active, resolution_digits, out) && buf_add_char(out, '/') &&
           print_delay(setup_done - agent, resolution_digits, out) && buf_add_char(out, '/') &&
           print_delay(end - setup_done, resolution_digits, out);
}
