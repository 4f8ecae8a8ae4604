#include "mail/queue/record.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/cut.h"

const char *record_type_name(int type)
{
    switch (type) {
#define RECORD_NAME(letter, name, text) \
    case letter:                        \
        return text;
        RECORD_TYPES(RECORD_NAME)
    default:
        return NULL;
    }
}

static bool is_one_of(int type, const char *letters)
{
    return type > 0 && strchr(letters, type) != NULL;
}

bool record_in_envelope(int type)
{
    return is_one_of(type, "MCTcFILSDRO/WVA>K<ion");
}

bool record_in_content(int type)
{
    return is_one_of(type, "XLNw");
}

bool record_in_extracted(int type)
{
    return is_one_of(type, "EDRO/PreAFIL>Kon");
}

bool record_add(struct buf *out, int type, slice data)
{
    char head[RECORD_HEAD_MOST];
    size_t before = out->n;

    if (data.n > RECORD_MOST_BYTES) {
        out->overflow = true;
        return false;
    }
    if (buf_add(out, slice_of(head, record_head(type, data.n, head))) && buf_add(out, data))
        return true;
    buf_truncate(out, before);
    return false;
}

bool record_addf(struct buf *out, int type, const char *format, ...)
{
    char head[RECORD_HEAD_MOST], *to;
    size_t before = out->n;
    va_list args, again;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n >= 0 && n <= RECORD_MOST_BYTES && buf_add(out, slice_of(head, record_head(type, (size_t)n, head))) &&
        (to = buf_reserve(out, (size_t)n + 1)) != NULL) {
        (void)vsnprintf(to, (size_t)n + 1, format, args);
        buf_commit(out, (size_t)n);
        va_end(args);
        return true;
    }
    va_end(args);
    buf_truncate(out, before);
    out->overflow = true;
    return false;
}

enum record_got cut_record(slice *in, int *type, slice *data)
{
    size_t length = 0, at = 1;
    unsigned shift = 0;

    if (in->n == 0)
        return RECORD_EOF;
    for (;;) {
        unsigned char byte;

        if (at >= in->n || at >= RECORD_HEAD_MOST)
            return RECORD_BAD;
        byte = (unsigned char)in->p[at++];
        length |= (size_t)(byte & 0x7f) << shift;
        shift += 7;
        if ((byte & 0x80) == 0)
            break;
    }
    if (in->n - at < length)
        return RECORD_BAD;
    *type = (unsigned char)in->p[0];
    *data = slice_of(in->p + at, length);
    *in = slice_skip(*in, at + length);
    return RECORD_READ;
}

void size_record_print(const struct size_record *r, char to[SIZE_RECORD_BYTES + 1])
{
    const int64_t fields[] = {r->message_bytes, r->data_offset,   r->recipients,
                              r->qmgr_flags,    r->content_bytes, r->sendopts};
    char room[I64_TEXT], *end = to + 2;

    to[0] = RECORD_SIZE;
    to[1] = SIZE_RECORD_BYTES - 2;
    memset(to + 2, ' ', SIZE_RECORD_BYTES - 2);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        slice text = slice_head(slice_of_i64(fields[i], room), SIZE_FIELD_BYTES); /* files are never larger */

        end += SIZE_FIELD_BYTES;
        memcpy(end - text.n, text.p, text.n);
        end++; /* the blank between them */
    }
    to[SIZE_RECORD_BYTES] = '\0';
}

bool size_record_parse(slice data, struct size_record *out)
{
    int64_t fields[6] = {0};
    size_t count = 0;
    slice word;

    /* Newer writers may add fields: what follows the sixth is not ours to judge. */
    while (count < 6 && cut_word(&data, " \t", &word))
        if (!slice_to_i64(word, &fields[count++]))
            return false;
    if (count < 3)
        return false;
    *out = (struct size_record){fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]};
    if (out->content_bytes == 0)
        out->content_bytes = out->message_bytes;
    return true;
}

bool attribute_parse(slice data, slice *name, slice *value)
{
    size_t at = slice_find(data, '=');
    slice left;

    if (at == SLICE_NONE)
        return false;
    left = slice_trim(slice_head(data, at));
    if (left.n == 0)
        return false;
    *name = left;
    *value = slice_trim(slice_skip(data, at + 1));
    return true;
}
