#include "mail/queue/id.h"

#include "core/base/clock.h"
#include "core/base/cut.h"

/* Base 52 is all of it, base 51 all but the last. */
static const char alphabet[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

enum { LONG_SECONDS_LEAST = 6, LONG_MICROS = 4, SHORT_MICROS = 5 };

bool queue_id_valid(slice id)
{
    if (id.n == 0 || id.n > QUEUE_ID_MOST)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!ascii_is_alnum(id.p[i]) && id.p[i] != '_')
            return false;
    return true;
}

/* Writes V in BASE, left-padded with '0' to LEAST digits; returns the end. */
static char *print_base(char *to, uint64_t v, unsigned base, int least)
{
    char digits[64];
    int n = 0;

    while (v > 0) {
        digits[n++] = alphabet[v % base];
        v /= base;
    }
    while (n < least)
        digits[n++] = alphabet[0];
    while (n > 0)
        *to++ = digits[--n];
    return to;
}

static bool parse_base(slice s, unsigned base, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] == '\0' ? NULL : strchr(alphabet, s.p[i]);

        if (at == NULL || (unsigned)(at - alphabet) >= base || __builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, (uint64_t)(at - alphabet), &v))
            return false;
    }
    *out = v;
    return true;
}

static bool parse_hex(slice s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0 || s.n > 16)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!ascii_is_digit(c) && (c < 'A' || c > 'F'))
            return false;
        v = v << 4 | (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'A' + 10);
    }
    *out = v;
    return true;
}

void queue_id_print(bool long_ids, int64_t wall_us, uint64_t inode, char to[QUEUE_ID_MOST + 1])
{
    uint64_t seconds = (uint64_t)(wall_us / SECONDS(1)), micros = (uint64_t)(wall_us % SECONDS(1));
    char *end;

    if (!long_ids) {
        (void)snprintf(to, QUEUE_ID_MOST + 1, "%05llX%llX", (unsigned long long)micros, (unsigned long long)inode);
        return;
    }
    end = print_base(to, seconds, 52, LONG_SECONDS_LEAST);
    end = print_base(end, micros, 52, LONG_MICROS);
    *end++ = 'z';
    end = print_base(end, inode, 51, 1);
    *end = '\0';
}

/* The separator: the last 'z', not before position 10; SLICE_NONE in a short id. */
static size_t long_separator(slice id)
{
    size_t at = slice_find_last(id, 'z');

    return at != SLICE_NONE && at >= LONG_SECONDS_LEAST + LONG_MICROS ? at : SLICE_NONE;
}

bool queue_id_is_long(slice id)
{
    return long_separator(id) != SLICE_NONE;
}

bool queue_id_parse(slice id, int64_t *wall_us, uint64_t *inode)
{
    size_t at = long_separator(id);
    uint64_t seconds = 0, micros, number;

    if (at != SLICE_NONE) {
        slice front = slice_head(id, at);

        if (!parse_base(slice_head(front, at - LONG_MICROS), 52, &seconds) ||
            !parse_base(slice_skip(front, at - LONG_MICROS), 52, &micros) ||
            !parse_base(slice_skip(id, at + 1), 51, &number))
            return false;
    } else if (id.n <= SHORT_MICROS || !parse_hex(slice_head(id, SHORT_MICROS), &micros) ||
               !parse_hex(slice_skip(id, SHORT_MICROS), &number)) {
        return false;
    }
    if (micros >= (uint64_t)SECONDS(1) || seconds > (uint64_t)(INT64_MAX / SECONDS(1)) - 1)
        return false;
    *wall_us = (int64_t)seconds * SECONDS(1) + (int64_t)micros;
    *inode = number;
    return true;
}

static bool is_hashed(const struct queue_layout *l, slice queue)
{
    slice names = l->hashed_names, name;

    if (slice_find_slice(names, queue) == SLICE_NONE) /* most are not */
        return false;
    while (cut_word(&names, " ,\t\r\n", &name))
        if (slice_eq(name, queue))
            return true;
    return false;
}

int queue_depth(const struct queue_layout *l, slice queue)
{
    return l->depth > 0 && is_hashed(l, queue) ? l->depth : 0;
}

bool queue_path(const struct queue_layout *l, slice queue, slice id, char to[QUEUE_PATH_MOST])
{
    char from_time[SHORT_MICROS + 1];
    slice hash = id;
    int64_t us;
    uint64_t inode;
    size_t n = 0;
    int depth = queue_depth(l, queue);

    if (!queue_id_valid(id) || queue.n + 2 * (size_t)depth + id.n + 2 > QUEUE_PATH_MOST)
        return false;
    /* A long id's first characters are the time, the same for weeks: its microseconds spread better. */
    if (depth > 0 && queue_id_is_long(id) && queue_id_parse(id, &us, &inode)) {
        (void)snprintf(from_time, sizeof from_time, "%05X", (unsigned)(us % SECONDS(1)));
        hash = slice_text(from_time);
    }
    memcpy(to, queue.p, queue.n);
    n = queue.n;
    to[n++] = '/';
    for (int i = 0; i < depth; i++) {
        to[n++] = (size_t)i < hash.n ? hash.p[i] : '_';
        to[n++] = '/';
    }
    memcpy(to + n, id.p, id.n);
    to[n + id.n] = '\0';
    return true;
}
