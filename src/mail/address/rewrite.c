#include "mail/address/rewrite.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "mail/syntax/address.h"
#include "mail/syntax/token.h"

enum piece_kind { PIECE_WORD, PIECE_LITERAL, PIECE_OPERATOR };

/* One token: a word (atom, quoted string, comment) with its text as written, or one special character. */
struct piece {
    enum piece_kind kind;
    char operator;
    bool quoted;
    slice text;
};

enum { PIECES_HERE = 48 };

struct pieces {
    struct piece *at;
    size_t count, cap;
    struct piece here[PIECES_HERE]; /* enough for nearly all addresses */
};

static void pieces_init(struct pieces *p)
{
    p->at = p->here;
    p->count = 0;
    p->cap = PIECES_HERE;
}

static void pieces_done(struct pieces *p)
{
    if (p->at != p->here)
        free(p->at);
}

static void insert(struct pieces *p, size_t place, struct piece piece)
{
    if (p->count == p->cap) {
        struct piece *more = xrealloc_array(p->at == p->here ? NULL : p->at, p->cap * 2, sizeof *more);
        if (p->at == p->here)
            memcpy(more, p->here, sizeof p->here);
        p->at = more;
        p->cap *= 2;
    }
    memmove(p->at + place + 1, p->at + place, (p->count - place) * sizeof *p->at);
    p->at[place] = piece;
    p->count++;
}

static void add(struct pieces *p, enum piece_kind kind, char operator, slice text)
{
    insert(p, p->count, (struct piece){.kind = kind, .operator = operator, .text = text});
}

static void add_text(struct pieces *p, slice text, bool quoted)
{
    insert(p, p->count, (struct piece){.kind = PIECE_WORD, .quoted = quoted, .text = text});
}

/* The address world splits atoms at ! and %, too. */
static void add_atom(struct pieces *p, slice atom)
{
    size_t start = 0;

    for (size_t i = 0; i < atom.n; i++) {
        if (atom.p[i] == '\\') {
            i++;
        } else if (atom.p[i] == '!' || atom.p[i] == '%') {
            if (i > start)
                add_text(p, (slice){atom.p + start, i - start}, false);
            add(p, PIECE_OPERATOR, atom.p[i], S(""));
            start = i + 1;
        }
    }
    if (start < atom.n)
        add_text(p, slice_skip(atom, start), false);
}

static slice inside_quotes(const struct token *t)
{
    return (slice){t->text.p + 1, t->text.n - (t->closed ? 2 : 1)};
}

static void split(slice text, struct pieces *p)
{
    struct token t;

    while (cut_token(&text, &t)) {
        switch (t.kind) {
        case TOKEN_ATOM:
            add_atom(p, t.text);
            break;
        case TOKEN_QUOTED:
            add_text(p, inside_quotes(&t), true);
            break;
        case TOKEN_LITERAL:
            add(p, PIECE_LITERAL, t.closed ? '\0' : ']', t.text);
            break;
        case TOKEN_COMMENT:
            add_text(p, t.text, false);
            break;
        case TOKEN_SPECIAL:
            add(p, PIECE_OPERATOR, t.text.p[0], S(""));
            break;
        }
    }
}

static bool is(const struct pieces *p, size_t i, char operator)
{
    return i < p->count && p->at[i].kind == PIECE_OPERATOR && p->at[i].operator == operator;
}

static size_t find_first(const struct pieces *p, char operator)
{
    for (size_t i = 0; i < p->count; i++) {
        if (is(p, i, operator))
            return i;
    }
    return SLICE_NONE;
}

static size_t find_last(const struct pieces *p, char operator)
{
    for (size_t i = p->count; i > 0; i--) {
        if (is(p, i - 1, operator))
            return i - 1;
    }
    return SLICE_NONE;
}

static void remove_front(struct pieces *p, size_t count)
{
    memmove(p->at, p->at + count, (p->count - count) * sizeof *p->at);
    p->count -= count;
}

static void strip_route(struct pieces *p)
{
    size_t colon = find_first(p, ':');

    if (is(p, 0, '@') && colon != SLICE_NONE && colon + 1 < p->count)
        remove_front(p, colon + 1);
}

/* site!user to user@site: turns the pieces around the first '!'. */
static void swap_bangpath(struct pieces *p)
{
    size_t bang = find_first(p, '!'), user;

    if (bang == SLICE_NONE)
        return;
    user = p->count - bang - 1;
    struct piece *turned = xrealloc_array(NULL, p->count, sizeof *turned);
    memcpy(turned, p->at + bang + 1, user * sizeof *turned);
    turned[user] = (struct piece){.kind = PIECE_OPERATOR, .operator = '@'};
    memcpy(turned + user + 1, p->at, bang * sizeof *turned);
    memcpy(p->at, turned, p->count * sizeof *turned);
    free(turned);
}

/* Appends text that has only atoms and dots in it. */
static void append_plain(struct pieces *p, slice text)
{
    split(text, p);
}

/* Is what lies behind AT a domain that ".DOMAIN" should complete? */
static bool wants_domain(const struct pieces *p, size_t from)
{
    if (from >= p->count)
        return false;
    for (size_t i = from; i < p->count; i++) {
        if (is(p, i, '.') || p->at[i].kind == PIECE_LITERAL)
            return false;
    }
    return true;
}

static void append_domain(const struct rewrite_rules *r, struct pieces *p, size_t from)
{
    if (r == NULL || !r->append_domain || r->domain.n == 0 || !wants_domain(p, from))
        return;
    add(p, PIECE_OPERATOR, '.', S(""));
    append_plain(p, r->domain);
}

static void strip_dot(struct pieces *p)
{
    if (p->count >= 2 && is(p, p->count - 1, '.') && !is(p, p->count - 2, '.') && !is(p, p->count - 2, '@'))
        p->count--;
}

static void apply(const struct rewrite_rules *r, struct pieces *p)
{
    size_t at;

    strip_route(p);
    if (find_last(p, '@') == SLICE_NONE && r->swap_bangpath)
        swap_bangpath(p);
    if (find_last(p, '@') == SLICE_NONE && r->percent_hack && (at = find_last(p, '%')) != SLICE_NONE)
        p->at[at].operator = '@';
    at = find_last(p, '@');
    if (at == SLICE_NONE && r->append_origin && r->origin.n > 0) {
        at = p->count;
        add(p, PIECE_OPERATOR, '@', S(""));
        append_plain(p, r->origin);
    }
    if (at != SLICE_NONE)
        append_domain(r, p, at + 1);
    strip_dot(p);
}

/* Text of a word: backslashes gone. */
static void print_unescaped(slice text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' && ++i == text.n)
            break;
        buf_add_char(out, text.p[i]);
    }
}

/* Words that follow each other are kept apart by a blank, so is '<' from what comes before it. */
static bool needs_blank(const struct pieces *p, size_t i)
{
    if (i == 0)
        return false;
    if (is(p, i, '<'))
        return !is(p, i - 1, ':') && !is(p, i - 1, ',');
    return p->at[i].kind != PIECE_OPERATOR && p->at[i - 1].kind != PIECE_OPERATOR;
}

static void print_pieces(const struct pieces *p, size_t from, struct buf *out)
{
    for (size_t i = from; i < p->count; i++) {
        const struct piece *piece = &p->at[i];

        if (needs_blank(p, i))
            buf_add_char(out, ' ');
        if (piece->kind == PIECE_OPERATOR) {
            buf_add_char(out, piece->operator);
            if (piece->operator == ',' && i + 1 < p->count)
                buf_add_char(out, ' ');
        } else if (piece->kind == PIECE_LITERAL) {
            buf_add(out, piece->text);
            if (piece->operator == ']')
                buf_add_char(out, ']');
        } else {
            print_unescaped(piece->text, out);
        }
    }
}

/* External form; a source route that is left stands outside the quotes. */
static bool print_external(slice internal, struct buf *out)
{
    size_t colon = slice_find(internal, ':');

    if (internal.n > 0 && *internal.p == '@' && colon != SLICE_NONE) {
        buf_add(out, slice_head(internal, colon + 1));
        internal = slice_skip(internal, colon + 1);
    }
    if (internal.n == 0)
        return buf_add(out, S("\"\""));
    return address_quote(internal, out);
}

static bool is_plain(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_' || c == '+' || c == '=' || c == '/';
}

/* user@some.host, dots in legal places: nothing to rewrite but perhaps a missing domain. */
static bool is_standard(const struct rewrite_rules *r, slice text)
{
    bool in_domain = false, dot = false;
    char before = '.';

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c == '@' && !in_domain && before != '.')
            in_domain = true;
        else if (c == '.' && before != '.')
            dot = dot || in_domain;
        else if (!is_plain(c))
            return false;
        before = c == '@' ? '.' : c;
    }
    return in_domain && before != '.' && (dot || !r->append_domain || r->domain.n == 0);
}

bool rewrite_external(const struct rewrite_rules *rules, slice external, struct buf *out)
{
    AUTO_BUF struct buf internal = BUF_INIT(out->max);
    struct pieces p;
    bool ok;

    buf_clear(out);
    if (external.n == 0)
        return true;
    if (is_standard(rules, external))
        return buf_add(out, external);
    pieces_init(&p);
    split(external, &p);
    /* Nothing but an empty word, or "@", is the null address. */
    if ((p.count == 1 && (is(&p, 0, '@') || (p.at[0].quoted && p.at[0].text.n == 0))) || p.count == 0) {
        ok = buf_add(out, S("\"\""));
    } else {
        apply(rules, &p);
        print_pieces(&p, 0, &internal);
        ok = !internal.overflow && print_external(buf_slice(&internal), out);
    }
    pieces_done(&p);
    return ok;
}

void rewrite_route(slice route, struct buf *out)
{
    struct pieces p;

    pieces_init(&p);
    split(route, &p);
    print_pieces(&p, 0, out);
    pieces_done(&p);
}

void rewrite_domain(const struct rewrite_rules *rules, slice domain, struct buf *out)
{
    struct pieces p;

    pieces_init(&p);
    add(&p, PIECE_OPERATOR, '@', S("")); /* what stands before it, for the rules on dots */
    split(domain, &p);
    append_domain(rules, &p, 1);
    strip_dot(&p);
    print_pieces(&p, 1, out);
    pieces_done(&p);
}
