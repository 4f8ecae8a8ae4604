#include "mail/content/address_list.h"

#include "mail/syntax/token.h"

enum role { ROLE_PLAIN, ROLE_PHRASE, ROLE_ANGLED, ROLE_LESS, ROLE_GREATER, ROLE_COMMA, ROLE_SEMICOLON, ROLE_COLON };

struct part {
    struct token token;
    enum role role;
};

struct reader {
    struct part *parts;
    size_t count, at;
    struct arena *arena;
    struct buf *text; /* scratch */
    struct list_node **end;
    enum list_node_kind last;
    bool any, failed;
};

/* Which token is what can only be told from the right. */
static void give_roles(struct part *parts, size_t count)
{
    unsigned groups = 0;
    bool angled = false, phrase = false;

    for (size_t i = count; i-- > 0;) {
        const struct token *t = &parts[i].token;
        enum role role = angled ? ROLE_ANGLED : phrase ? ROLE_PHRASE : ROLE_PLAIN;

        if (angled) {
            if (token_is(t, '<')) {
                role = ROLE_LESS;
                angled = false;
                phrase = true;
            }
        } else if (token_is(t, '>')) {
            role = ROLE_GREATER;
            angled = true;
        } else if (token_is(t, ',') || token_is(t, ';')) {
            role = token_is(t, ',') ? ROLE_COMMA : ROLE_SEMICOLON;
            groups += token_is(t, ';');
            phrase = false;
        } else if (token_is(t, ':') && groups > 0) {
            role = ROLE_COLON;
            groups--;
            phrase = true;
        }
        parts[i].role = role;
    }
}

/* ---- texts ---- */

static bool is_word(const struct token *t)
{
    return t->kind == TOKEN_ATOM || t->kind == TOKEN_QUOTED || t->kind == TOKEN_LITERAL;
}

/* An atom with its backslashes resolved; quoted when it then needs it. */
static bool add_atom(slice text, struct buf *out)
{
    bool quoted = false;

    if (slice_find(text, '\\') == SLICE_NONE)
        return buf_add(out, text);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\\' && i + 1 < text.n)
            quoted = quoted || strchr("()<>@,;:\\\".[] ", text.p[++i]) != NULL;
    if (quoted && !buf_add_char(out, '"'))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' && i + 1 < text.n)
            i++;
        if ((text.p[i] == '"' || text.p[i] == '\\') && !buf_add_char(out, '\\'))
            return false;
        if (!buf_add_char(out, text.p[i]))
            return false;
    }
    return !quoted || buf_add_char(out, '"');
}

/* A token as it is written again: line ends in it are blanks, what was left open is closed. */
static bool add_token(const struct token *t, struct buf *out)
{
    size_t start = out->n;

    if (t->kind == TOKEN_ATOM) {
        if (!add_atom(t->text, out))
            return false;
    } else if (!buf_add(out, t->text)) {
        return false;
    }
    for (size_t i = start; i < out->n; i++)
        if (out->p[i] == '\n')
            out->p[i] = ' ';
    if (!t->closed && t->kind != TOKEN_COMMENT)
        return buf_add_char(out, t->kind == TOKEN_QUOTED ? '"' : ']');
    return true;
}

static void add_node(struct reader *r, enum list_node_kind kind, slice text)
{
    struct list_node *n = ARENA_NEW(r->arena, struct list_node);

    if (n == NULL || !arena_copy(r->arena, text, &n->text)) {
        r->failed = true;
        return;
    }
    n->kind = kind;
    *r->end = n;
    r->end = &n->next;
    r->last = kind;
    r->any = true;
}

static void add_token_node(struct reader *r, enum list_node_kind kind, const struct token *t)
{
    buf_clear(r->text);
    if (!add_token(t, r->text))
        r->failed = true;
    else
        add_node(r, kind, buf_slice(r->text));
}

/* ---- addresses ---- */

/* Where the address that starts at FROM ends: the list's words next to each other are different addresses, and comments
 * in front of a word are that word's. */
static size_t address_end(const struct reader *r, size_t from, enum role role)
{
    size_t end = from;
    bool word_before = false;

    for (size_t i = from; i < r->count && r->parts[i].role == role; i++) {
        const struct token *t = &r->parts[i].token;

        if (t->kind == TOKEN_COMMENT)
            continue;
        if (role == ROLE_PLAIN && word_before && is_word(t))
            return end;
        word_before = is_word(t);
        end = i + 1;
    }
    while (end < r->count && r->parts[end].role == role)
        end++;
    return end;
}

static bool add_address_text(const struct reader *r, size_t from, size_t to, enum role role, struct buf *out)
{
    for (size_t i = from; i < to; i++) {
        const struct token *t = &r->parts[i].token;

        if (t->kind == TOKEN_COMMENT)
            continue;
        if (token_is(t, '<') && out->n > 0 && !buf_add_char(out, ' '))
            return false;
        if (!add_token(t, out) || (role == ROLE_ANGLED && token_is(t, ',') && !buf_add_char(out, ' ')))
            return false;
    }
    return true;
}

/* The address at r->at, and behind it its comments. */
static void add_address(struct reader *r, enum role role)
{
    size_t end = address_end(r, r->at, role);

    buf_clear(r->text);
    if (!add_address_text(r, r->at, end, role, r->text)) {
        r->failed = true;
        return;
    }
    if (r->text->n > 0) {
        if (role == ROLE_PLAIN && r->any && r->last != NODE_COMMA && r->last != NODE_COLON)
            add_node(r, NODE_COMMA, S(","));
        add_node(r, NODE_ADDRESS, buf_slice(r->text));
    }
    for (; r->at < end; r->at++)
        if (r->parts[r->at].token.kind == TOKEN_COMMENT)
            add_token_node(r, NODE_COMMENT, &r->parts[r->at].token);
}

static void read_part(struct reader *r)
{
    const struct part *p = &r->parts[r->at];
    enum list_node_kind kind = NODE_MARK;

    switch (p->role) {
    case ROLE_PLAIN:
    case ROLE_ANGLED:
        add_address(r, p->role);
        return;
    case ROLE_PHRASE:
        kind = is_word(&p->token) ? NODE_WORD : p->token.kind == TOKEN_COMMENT ? NODE_COMMENT : NODE_MARK;
        break;
    case ROLE_LESS:
        kind = NODE_LESS;
        break;
    case ROLE_GREATER:
        kind = NODE_GREATER;
        break;
    case ROLE_COMMA:
        kind = NODE_COMMA;
        break;
    case ROLE_SEMICOLON:
        kind = NODE_SEMICOLON;
        break;
    case ROLE_COLON:
        kind = NODE_COLON;
        break;
    }
    add_token_node(r, kind, &p->token);
    r->at++;
}

bool address_list_parse(slice value, size_t token_limit, struct arena *arena, struct list_node **first)
{
    struct list_node *list = NULL;
    AUTO_BUF struct buf text = BUF_INIT(1U << 22);
    struct reader r = {.arena = arena, .text = &text, .end = &list};
    slice rest = value;
    struct token t;

    while (r.count < token_limit && cut_token(&rest, &t))
        r.count++;
    r.parts = arena_alloc_array(arena, r.count + 1, sizeof *r.parts);
    if (r.parts == NULL)
        return false;
    rest = value;
    for (size_t i = 0; i < r.count; i++)
        if (!cut_token(&rest, &r.parts[i].token))
            break;
    give_roles(r.parts, r.count);
    while (r.at < r.count && !r.failed)
        read_part(&r);
    if (r.failed)
        return false;
    *first = list;
    return true;
}

/* ---- printing ---- */

/* Is there a blank between A and B, beside the one that commas and colons bring along? */
static bool blank_between(enum list_node_kind a, enum list_node_kind b)
{
    switch (b) {
    case NODE_GREATER:
    case NODE_COMMA:
    case NODE_SEMICOLON:
    case NODE_COLON:
    case NODE_MARK:
        return false;
    case NODE_LESS:
        return a != NODE_COMMA && a != NODE_COLON;
    case NODE_ADDRESS:
    case NODE_WORD:
    case NODE_COMMENT:
        return a == NODE_ADDRESS || a == NODE_WORD || a == NODE_COMMENT || a == NODE_SEMICOLON;
    }
    return false;
}

enum { FOLD_AT = 70 };

/* The list in pieces that end behind a comma; each piece goes on the line while there is room. */
struct folder {
    struct buf *out;
    size_t line_start, piece_start; /* in OUT; a line's tab does not count */
    size_t breaks;
};

/* A piece is complete: it starts with the blank that may become a line break. */
static bool fold(struct folder *f)
{
    if (f->piece_start > f->line_start && f->out->n - f->line_start >= FOLD_AT && f->out->n - f->piece_start > 1) {
        f->out->p[f->piece_start] = '\t';
        if (!buf_add_char(f->out, '\0'))
            return false;
        memmove(f->out->p + f->piece_start + 1, f->out->p + f->piece_start, f->out->n - f->piece_start - 1);
        f->out->p[f->piece_start] = '\n';
        f->line_start = f->piece_start + 2;
        f->breaks++;
    }
    return true;
}

bool address_list_print(slice name, const struct list_node *first, size_t most, struct buf *out)
{
    struct folder f = {.out = out, .line_start = out->n, .piece_start = out->n};
    size_t start = out->n;

    if (!buf_add(out, name) || !buf_add(out, S(": ")))
        return false;
    for (const struct list_node *n = first, *last = NULL; n != NULL && out->n - start - f.breaks <= most;
         last = n, n = n->next) {
        if (last != NULL && blank_between(last->kind, n->kind) && !buf_add_char(out, ' '))
            return false;
        if (!buf_add(out, n->text))
            return false;
        if (n->kind == NODE_COMMA) {
            if (!fold(&f))
                return false;
            f.piece_start = out->n;
        }
        if ((n->kind == NODE_COMMA || n->kind == NODE_COLON) && !buf_add_char(out, ' '))
            return false;
    }
    if (!fold(&f))
        return false;
    if (out->n - start - f.breaks > most)
        buf_truncate(out, f.breaks > 0 ? f.line_start - 2 : start + most);
    return true;
}
