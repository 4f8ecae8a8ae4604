#include "mail/syntax/address.h"
#include "mail/syntax/header.h"
#include "mail/syntax/token.h"

/* One member of an address list, up to the ',' ';' or ':' that ends it. */
struct member {
    slice span;   /* from the first to the last token of the address */
    bool any;     /* there is one */
    bool angle;   /* it stands in <> */
    bool inside;  /* between < and > just now */
    char ended_by; /* ',' ';' ':' or 0 at the end of the list */
};

static void member_extend(struct member *m, const struct token *t)
{
    if (!m->any)
        m->span = slice_of(t->text.p, 0);
    m->any = true;
    m->span.n = (size_t)(t->text.p - m->span.p) + t->text.n;
}

/* Moves *REST past one member and its separator. */
static bool cut_member(slice *rest, struct member *m)
{
    struct token t;

    while (cut_token(rest, &t)) {
        if (t.kind == TOKEN_COMMENT)
            continue;
        if (!m->inside && (token_is(&t, ',') || token_is(&t, ';') || token_is(&t, ':'))) {
            m->ended_by = t.text.p[0];
            return true;
        }
        if (m->inside && (token_is(&t, ':') || token_is(&t, ','))) {
            /* the end of a source route, or a '>' that was forgotten */
            if (token_is(&t, ',') && m->any && m->span.p[0] != '@')
                return true;
            m->any = false;
        } else if (token_is(&t, '<')) {
            m->any = false;
            m->inside = m->angle = true;
        } else if (token_is(&t, '>')) {
            m->inside = false;
        } else if (m->inside || !m->angle) {
            member_extend(m, &t);
        }
    }
    return m->any || m->angle;
}

/* The address's tokens without comments; words that only a blank keeps apart stay apart. */
static bool join_tokens(slice span, struct buf *out)
{
    struct token t;
    bool word_before = false;

    while (cut_token(&span, &t)) {
        bool is_word = t.kind != TOKEN_SPECIAL;

        if (t.kind == TOKEN_COMMENT)
            continue;
        if (is_word && word_before && t.blanks > 0 && !buf_add_char(out, ' '))
            return false;
        if (!buf_add(out, t.text))
            return false;
        word_before = is_word;
    }
    return true;
}

bool header_next_address(slice *rest, struct arena *arena, struct header_address *out)
{
    slice at = *rest;

    for (;;) {
        struct member m = {.any = false};
        AUTO_BUF struct buf external = BUF_INIT(1U << 20), internal = BUF_INIT(1U << 20);
        slice before = *rest;

        if (!cut_member(&at, &m))
            return false;
        /* A group's name ends in ':' and is no address. */
        if (!m.any || (m.ended_by == ':' && !m.angle))
            continue;
        before.n = (size_t)(m.span.p - rest->p);
        if (!join_tokens(m.span, &external) || !address_unquote(buf_slice(&external), &internal) ||
            !arena_copy(arena, buf_slice(&internal), &out->address))
            return false;
        out->before = before;
        out->external = m.span;
        *rest = at;
        return true;
    }
}
