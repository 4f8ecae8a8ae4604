#include "core/base/bug.h"
#include "core/conf/main_cf.h"
#include "mail/syntax/address.h"
#include "mail/table/inner.h"

struct tables {
    struct table **at;
    size_t count;
    size_t answered; /* the last that ended a search */
};

static void note_problems(const struct table *t, struct buf *warning)
{
    if (warning == NULL)
        return;
    if (table_problem(t) != NULL)
        buf_addf(warning, "error: %s\n", table_problem(t)->text);
    buf_add(warning, table_warnings(t));
}

struct tables *tables_open(slice list, unsigned flags, struct buf *warning, struct err *err)
{
    struct tables *t = xcalloc(1, sizeof *t);
    enum conf_got got;
    slice item;
    bool braced;

    while ((got = conf_next_item(&list, ", \t\r\n", &item, &braced, err)) == CONF_ITEM) {
        if (slice_starts(item, S("nis:"))) {
            if (warning != NULL)
                buf_addf(warning, "table %.*s: type nis is not supported -- skipping it\n", S_ARG(item));
            continue;
        }
        struct table *one = table_open(item, flags, err);
        if (one == NULL) {
            got = CONF_FAILED;
            break;
        }
        note_problems(one, warning);
        t->at = xrealloc_array(t->at, t->count + 1, sizeof(struct table *));
        t->at[t->count++] = one;
    }
    if (got == CONF_END)
        return t;
    tables_close(t);
    return NULL;
}

void tables_close(struct tables *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->count; i++)
        table_close(t->at[i]);
    free(t->at);
    free(t);
}

bool tables_empty(const struct tables *t)
{
    return t->count == 0;
}

const char *tables_failed(const struct tables *t)
{
    return t->answered < t->count ? table_name(t->at[t->answered]) : "";
}

uid_t tables_owner(const struct tables *t)
{
    return t->answered < t->count ? table_owner(t->at[t->answered]) : TABLE_NOBODY;
}

static enum table_got search(struct tables *t, bool part, slice key, deadline by, struct buf *value, struct err *err)
{
    buf_clear(value);
    if (key.n == 0)
        return TABLE_NOT_FOUND;
    for (size_t i = 0; i < t->count; i++) {
        enum table_got got;

        if (part && table_is_pattern(t->at[i]))
            continue;
        got = table_get(t->at[i], key, by, value, err);
        if (got == TABLE_NOT_FOUND)
            continue;
        t->answered = i;
        if (got == TABLE_FOUND && value->n == 0) {
            err_set(err, ERR_CONFIG, "%s lookup of %.*s returns an empty string result", table_name(t->at[i]), S_ARG(key));
            return TABLE_FAILED;
        }
        return got;
    }
    return TABLE_NOT_FOUND;
}

enum table_got tables_get(struct tables *t, slice key, deadline by, struct buf *value, struct err *err)
{
    return search(t, false, key, by, value, err);
}

enum table_got tables_get_part(struct tables *t, slice key, deadline by, struct buf *value, struct err *err)
{
    return search(t, true, key, by, value, err);
}

bool tables_changed(const struct tables *t, struct buf *name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (!table_changed(t->at[i]))
            continue;
        buf_clear(name);
        buf_add_text(name, table_name(t->at[i]));
        return true;
    }
    return false;
}

/* ---- addresses ---- */

struct address_search {
    struct tables *tables;
    const struct address_lookup *how;
    deadline by;
    struct buf *value;
    struct err *err;
    struct buf key, quoted;
};

/* Looks LOCAL@DOMAIN up in external form, then in internal form when that differs. */
static enum table_got try_forms(struct address_search *s, bool part, slice local, slice at_domain)
{
    enum table_got got;

    buf_clear(&s->key);
    buf_add(&s->key, local);
    buf_add(&s->key, at_domain);
    buf_clear(&s->quoted);
    if (local.n > 0 && address_quote(buf_slice(&s->key), &s->quoted) &&
        !slice_eq(buf_slice(&s->key), buf_slice(&s->quoted))) {
        got = search(s->tables, part, buf_slice(&s->quoted), s->by, s->value, s->err);
        if (got != TABLE_NOT_FOUND)
            return got;
    }
    return search(s->tables, part, buf_slice(&s->key), s->by, s->value, s->err);
}

/* The next address of a result; blanks and commas in quotes part nothing. */
static bool cut_address(slice *rest, slice *out)
{
    bool quoted = false;
    size_t n = 0;

    while (rest->n > 0 && strchr(", \t\r\n", rest->p[0]) != NULL)
        *rest = slice_skip(*rest, 1);
    for (; n < rest->n && (quoted || strchr(", \t\r\n", rest->p[n]) == NULL); n++) {
        if (rest->p[n] == '"')
            quoted = !quoted;
        else if (rest->p[n] == '\\' && quoted && n + 1 < rest->n)
            n++;
    }
    *out = slice_head(*rest, n);
    *rest = slice_skip(*rest, n);
    return n > 0;
}

/* Adds ADDRESS, which has a domain or is a bare name, with "+ext" behind its local part, within its quotes. */
static void add_extended(slice address, slice extension, struct buf *out)
{
    slice local, domain;

    address_split(address, &local, &domain);
    buf_add(out, local.n > 0 ? local : address);
    if (local.n == 0)
        return;
    if (slice_ends(local, S("\"")))
        buf_truncate(out, out->n - 1);
    buf_add(out, extension);
    if (slice_ends(local, S("\"")))
        buf_add_char(out, '"');
    buf_add(out, slice_skip(address, local.n));
}

static void add_extension(struct buf *value, slice extension)
{
    AUTO_BUF struct buf with = BUF_INIT(value->max);
    slice rest = buf_slice(value), item;
    struct err ignored;

    while (cut_address(&rest, &item)) {
        if (with.n > 0)
            buf_add_text(&with, ", ");
        add_extended(item, extension, &with);
    }
    if (!with.overflow)
        (void)value_set(value, buf_slice(&with), &ignored);
}

static enum table_got search_address(struct address_search *s, slice address, unsigned what)
{
    slice local, domain, base, extension;
    enum table_got got = TABLE_NOT_FOUND;
    bool local_domain;

    address_split(address, &local, &domain);
    slice at_domain = domain.n > 0 ? (slice){domain.p - 1, domain.n + 1} : S("");
    address_split_extension(local, s->how->delimiters, &base, &extension);
    extension = slice_skip(local, base.n); /* with its delimiter, and be it that alone */
    if (what & ADDRESS_FULL) {
        got = try_forms(s, false, local, at_domain);
        if (got != TABLE_NOT_FOUND)
            return got;
        if (extension.n > 0 && (got = try_forms(s, true, base, at_domain)) != TABLE_NOT_FOUND)
            goto without_extension;
    }
    local_domain = (what & ADDRESS_USER) && domain.n > 0 && s->how->is_local_domain != NULL &&
                   s->how->is_local_domain(s->how->context, domain);
    if (local_domain) {
        got = try_forms(s, true, local, S(""));
        if (got != TABLE_NOT_FOUND)
            return got;
        if (extension.n > 0 && (got = try_forms(s, true, base, S(""))) != TABLE_NOT_FOUND)
            goto without_extension;
    }
    if ((what & ADDRESS_DOMAIN) && domain.n > 0)
        got = search(s->tables, true, at_domain, s->by, s->value, s->err);
    return got;
without_extension:
    if (got == TABLE_FOUND && s->how->propagate_extension)
        add_extension(s->value, extension);
    return got;
}

enum table_got tables_get_address(struct tables *t, slice address, unsigned what, const struct address_lookup *how,
                                  deadline by, struct buf *value, struct err *err)
{
    struct address_search s = {
        .tables = t, .how = how, .by = by, .value = value, .err = err,
        .key = BUF_INIT(TABLE_TEXT_MAX), .quoted = BUF_INIT(TABLE_TEXT_MAX),
    };
    enum table_got got;

    buf_clear(value);
    if (t->count == 0)
        return TABLE_NOT_FOUND;
    got = search_address(&s, address, what);
    buf_done(&s.key);
    buf_done(&s.quoted);
    return got;
}
