/* The right side of an alias, and the lines of a list: aliases(5). */
#include "core/base/buf.h"
#include "deliver/local/local.h"
#include "mail/syntax/header.h"

struct items {
    struct arena *arena;
    item_fn *fn;
    void *arg;
    size_t count;
};

static void give(struct items *all, slice item)
{
    if (item.n == 0)
        return;
    all->count++;
    all->fn(all->arg, item);
}

/* Elements are separated by commas, semicolons and line ends; quotes and parentheses keep them together
 * ("|command arguments"). */
static bool next_element(slice *rest, slice *element)
{
    static const char separators[] = ",;\n";
    bool quoted = false;
    size_t n = 0, depth = 0;

    while (rest->n > 0 && (ascii_is_space(rest->p[0]) || strchr(separators, rest->p[0]) != NULL))
        *rest = slice_skip(*rest, 1);
    if (rest->n == 0)
        return false;
    for (; n < rest->n && (quoted || depth > 0 || strchr(separators, rest->p[n]) == NULL); n++) {
        char c = rest->p[n];

        if (c == '\\' && n + 1 < rest->n && (quoted || depth > 0))
            n++;
        else if (c == '"' && depth == 0)
            quoted = !quoted;
        else if (c == '(' && !quoted)
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
    }
    *element = slice_trim(slice_head(*rest, n));
    *rest = slice_skip(*rest, n);
    return true;
}

/* Without a comment at its front, which may have others inside. */
static slice skip_comment(slice s)
{
    size_t depth = 0, n = 0;

    for (; n < s.n; n++) {
        if (s.p[n] == '\\')
            n++;
        else if (s.p[n] == '(')
            depth++;
        else if (s.p[n] == ')' && --depth == 0)
            return slice_skip(s, n + 1);
    }
    return S("");
}

/* Does a colon behind it make a token the name of a group?  Not in a command, a file or an :include:, nor in
 * [IPv6:...]. */
static bool may_name_group(slice token)
{
    return token.n > 0 && strchr("|/:\\", token.p[0]) == NULL && slice_find(token, '[') == SLICE_NONE;
}

static bool next_token(slice *rest, slice *token)
{
    bool quoted = false, named = false;
    size_t n = 0;

    for (*rest = slice_trim(*rest); rest->n > 0 && rest->p[0] == '(';)
        *rest = slice_trim(skip_comment(*rest));
    if (rest->n == 0)
        return false;
    while (n < rest->n && !named && (quoted || (!ascii_is_space(rest->p[n]) && rest->p[n] != '('))) {
        named = !quoted && rest->p[n] == ':' && may_name_group(slice_head(*rest, n));
        if (rest->p[n] == '\\' && n + 1 < rest->n)
            n++;
        else if (rest->p[n] == '"')
            quoted = !quoted;
        n++;
    }
    *token = slice_head(*rest, n);
    *rest = slice_skip(*rest, n);
    return true;
}

/* The next word of an element, without comments and names of groups ("Friends:", but not ":nonsense:"). */
static bool next_word(slice *rest, slice *word)
{
    while (next_token(rest, word))
        if (!slice_ends(*word, S(":")) || word->p[0] == ':')
            return true;
    return false;
}

/* One pair of quotes around the whole. */
static bool is_quoted_item(slice element)
{
    size_t n = 1;

    while (n < element.n && element.p[n] != '"')
        n += element.p[n] == '\\' ? 2 : 1;
    return element.n >= 2 && element.p[0] == '"' && n == element.n - 1;
}

/* A quoted item without its quotes and backslashes. */
static slice unquoted(slice item, struct arena *arena)
{
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);

    item = slice_of(item.p + 1, item.n - 2);
    for (size_t i = 0; i < item.n; i++) {
        if (item.p[i] == '\\' && i + 1 < item.n)
            i++;
        (void)buf_add_char(&text, item.p[i]);
    }
    return arena_keep(arena, buf_slice(&text), S(""));
}

static void take_element(struct items *all, slice element)
{
    struct header_address found;
    slice word;

    if (is_quoted_item(element)) {
        give(all, unquoted(element, all->arena));
    } else if (slice_find(element, '<') != SLICE_NONE) { /* "user <x@y>" means x@y */
        while (header_next_address(&element, all->arena, &found))
            give(all, found.external);
    } else {
        while (next_word(&element, &word))
            give(all, word);
    }
}

size_t items_each(slice text, struct arena *arena, item_fn *fn, void *arg)
{
    struct items all = {.arena = arena, .fn = fn, .arg = arg};
    slice element;

    while (next_element(&text, &element))
        take_element(&all, element);
    return all.count;
}
