/* message_strip_characters, message_reject_characters: what may not be in a message's content. */
#include "core/base/cut.h"
#include "receive/cleanup/message.h"

/* One character of a list with C's escapes. */
static unsigned char cut_character(slice *list)
{
    static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    unsigned char c = (unsigned char)list->p[0];
    unsigned code = 0;
    int digits = 0;
    const char *name;

    *list = slice_skip(*list, 1);
    if (c != '\\' || list->n == 0)
        return c;
    for (; digits < 3 && list->n > 0 && list->p[0] >= '0' && list->p[0] <= '7'; digits++) {
        code = code * 8 + (unsigned)(list->p[0] - '0');
        *list = slice_skip(*list, 1);
    }
    if (digits > 0)
        return (unsigned char)code;
    c = (unsigned char)list->p[0];
    *list = slice_skip(*list, 1);
    name = strchr(names, c);
    return name != NULL && c != '\0' ? (unsigned char)values[name - names] : c;
}

void characters_parse(slice list, struct characters *out)
{
    *out = (struct characters){.any = list.n > 0};
    while (list.n > 0)
        out->has[cut_character(&list)] = true;
}

slice characters_strip(const struct message *m, slice text, struct buf *room)
{
    const struct characters *strip = &m->desk->strip;

    if (!strip->any)
        return text;
    buf_clear(room);
    for (size_t i = 0; i < text.n; i++)
        if (!strip->has[(unsigned char)text.p[i]])
            (void)buf_add_char(room, text.p[i]);
    return buf_slice(room);
}

void characters_check(struct message *m, slice text)
{
    const struct characters *reject = &m->desk->reject;

    if (!reject->any || m->disallowed)
        return;
    for (size_t i = 0; i < text.n && !m->disallowed; i++)
        m->disallowed = reject->has[(unsigned char)text.p[i]];
    if (!m->disallowed)
        return;
    m->reason = S("5.7.1 disallowed character");
    checks_log(m, "reject", "content", text, true, m->reason);
    m->unchecked = true;
    message_reject(m, CLEANUP_CONTENT, NULL);
}
