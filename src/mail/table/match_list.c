#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/conf/main_cf.h"
#include "core/net/endpoint.h"
#include "mail/table/inner.h"

enum { MATCH_FILES_DEEP = 20 };

enum element_kind { ELEMENT_TEXT, ELEMENT_NETWORK, ELEMENT_TABLE, ELEMENT_BROKEN };

struct element {
    enum element_kind kind;
    bool negate;
    char *text; /* as written, folded; ELEMENT_BROKEN: the message */
    size_t bytes;
    struct table *table;
    struct net_block block;
};

struct match_list {
    enum match_kind kind;
    bool parents;
    struct element *at;
    size_t count;
};

static struct element *add(struct match_list *m, enum element_kind kind, bool negate, slice text)
{
    m->at = xrealloc_array(m->at, m->count + 1, sizeof *m->at);
    struct element *e = &m->at[m->count++];
    *e = (struct element){.kind = kind, .negate = negate, .bytes = text.n};
    e->text = xstrndup(text.n > 0 ? text.p : "", text.n);
    return e;
}

static void add_broken(struct match_list *m, const char *text)
{
    (void)add(m, ELEMENT_BROKEN, false, slice_text(text));
}

static bool looks_like_network(slice item)
{
    struct endpoint e;

    return slice_find(item, '/') != SLICE_NONE || *item.p == '[' || endpoint_parse(item, &e);
}

static bool is_table(slice item)
{
    size_t colon = slice_find(item, ':');
    struct endpoint e;

    return colon != SLICE_NONE && *item.p != '[' && !endpoint_parse(slice_head(item, slice_find(item, '/')), &e);
}

static bool parse_list(struct match_list *m, slice list, bool negate, int depth, struct err *err);

static bool parse_file(struct match_list *m, slice path, bool negate, int depth, struct err *err)
{
    struct source source;
    struct err why;
    bool ok;

    if (depth >= MATCH_FILES_DEEP)
        return err_set(err, ERR_CONFIG, "match list: files nest too deep: \"%.*s\"", S_ARG(path));
    if (!source_open_file(&source, "open file", path, &why)) {
        char text[600];
        snprintf(text, sizeof text, "non-existent:%.*s is unavailable. %s", (int)(path.n < 60 ? path.n : 60), path.p, why.text);
        add_broken(m, text);
        return true;
    }
    ok = parse_list(m, source.rest, negate, depth + 1, err);
    source_done(&source);
    return ok;
}

static bool parse_item(struct match_list *m, slice item, bool negate, int depth, struct err *err)
{
    AUTO_BUF struct buf folded = BUF_INIT(TABLE_TEXT_MAX);
    struct err why;

    while (cut_char(&item, '!'))
        negate = !negate;
    if (item.n == 0)
        return err_set(err, ERR_CONFIG, "no pattern after '!'");
    if (*item.p == '/')
        return parse_file(m, item, negate, depth, err);
    if (is_table(item)) {
        struct table *t = table_open(item, TABLE_FOLD, err);
        if (t == NULL)
            return false;
        add(m, ELEMENT_TABLE, negate, item)->table = t;
        return true;
    }
    (void)table_fold(item, &folded);
    if (m->kind == MATCH_HOST && looks_like_network(item)) {
        struct net_block block;
        if (net_block_parse(item, &block, &why))
            add(m, ELEMENT_NETWORK, negate, buf_slice(&folded))->block = block;
        else
            add_broken(m, why.text);
        return true;
    }
    add(m, ELEMENT_TEXT, negate, buf_slice(&folded));
    return true;
}

static bool parse_list(struct match_list *m, slice list, bool negate, int depth, struct err *err)
{
    enum conf_got got;
    slice item;
    bool braced;

    while ((got = conf_next_item(&list, ", \t\r\n", &item, &braced, err)) == CONF_ITEM) {
        if (!parse_item(m, item, negate, depth, err))
            return false;
    }
    return got == CONF_END;
}

struct match_list *match_list_open(slice list, enum match_kind kind, bool parent_matches_subdomains, struct err *err)
{
    struct match_list *m = xcalloc(1, sizeof *m);

    m->kind = kind;
    m->parents = parent_matches_subdomains;
    if (parse_list(m, list, false, 0, err))
        return m;
    match_list_close(m);
    return NULL;
}

void match_list_close(struct match_list *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++) {
        free(m->at[i].text);
        table_close(m->at[i].table);
    }
    free(m->at);
    free(m);
}

bool match_list_changed(const struct match_list *m, struct buf *name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->at[i].table == NULL || !table_changed(m->at[i].table))
            continue;
        buf_clear(name);
        buf_add_text(name, table_name(m->at[i].table));
        return true;
    }
    return false;
}

struct question {
    const struct match_list *list;
    slice name; /* folded */
    slice address;
    bool has_endpoint;
    struct endpoint endpoint;
    deadline by;
    struct buf *value;
    struct err *err;
};

static bool text_matches(const struct question *q, slice pattern)
{
    if (slice_eq(q->name, pattern))
        return true;
    if (q->list->kind == MATCH_STRING || pattern.n == 0)
        return false;
    if (*pattern.p == '.')
        return !q->list->parents && q->name.n > pattern.n && slice_ends(q->name, pattern);
    return q->list->parents && q->name.n > pattern.n && slice_ends(q->name, pattern) &&
           q->name.p[q->name.n - pattern.n - 1] == '.';
}

/* NAME, then its parents: "b.c" (or ".b.c" without parent matching). */
static enum table_got table_matches_name(const struct question *q, struct table *t)
{
    enum table_got got = TABLE_NOT_FOUND;
    slice key = q->name;

    while (key.n > 0) {
        size_t dot;

        got = table_get(t, key, q->by, q->value, q->err);
        if (got != TABLE_NOT_FOUND || q->list->kind == MATCH_STRING || table_is_pattern(t))
            return got;
        dot = slice_find(slice_skip(key, 1), '.');
        if (dot == SLICE_NONE)
            return TABLE_NOT_FOUND;
        key = slice_skip(key, dot + 1 + (q->list->parents ? 1 : 0));
    }
    return got;
}

static enum table_got element_matches(const struct question *q, struct element *e)
{
    enum table_got got = TABLE_NOT_FOUND;

    switch (e->kind) {
    case ELEMENT_TEXT:
        return q->name.n > 0 && text_matches(q, (slice){e->text, e->bytes}) ? TABLE_FOUND : TABLE_NOT_FOUND;
    case ELEMENT_NETWORK:
        return q->has_endpoint && net_block_has(&e->block, &q->endpoint) ? TABLE_FOUND : TABLE_NOT_FOUND;
    case ELEMENT_TABLE:
        if (q->name.n > 0)
            got = table_matches_name(q, e->table);
        if (got == TABLE_NOT_FOUND && q->address.n > 0)
            got = table_get(e->table, q->address, q->by, q->value, q->err);
        return got;
    case ELEMENT_BROKEN:
        err_set(q->err, ERR_CONFIG, "%s", e->text);
        return TABLE_FAILED;
    }
    return TABLE_NOT_FOUND;
}

enum table_got match_list_has(struct match_list *m, slice name, slice address, deadline by, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(TABLE_TEXT_MAX), folded = BUF_INIT(TABLE_TEXT_MAX);
    struct question q = {.list = m, .name = name, .by = by, .value = &value, .err = err};

    if (m->count == 0)
        return TABLE_NOT_FOUND;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < 'A' || name.p[i] > 'Z')
            continue;
        (void)table_fold(name, &folded);
        q.name = buf_slice(&folded);
        break;
    }
    if (m->kind == MATCH_HOST && address.n > 0) {
        q.address = address;
        q.has_endpoint = endpoint_parse(address, &q.endpoint);
    }
    for (size_t i = 0; i < m->count; i++) {
        enum table_got got = element_matches(&q, &m->at[i]);
        if (got == TABLE_FAILED)
            return got;
        if (got == TABLE_FOUND)
            return m->at[i].negate ? TABLE_NOT_FOUND : TABLE_FOUND;
    }
    return TABLE_NOT_FOUND;
}
