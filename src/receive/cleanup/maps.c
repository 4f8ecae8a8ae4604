#include "receive/cleanup/maps.h"

#include "core/base/cut.h"
#include "mail/content/address_list.h"
#include "mail/events/events.h"
#include "mail/syntax/address.h"

enum { VALUE_MOST = 8 << 20, CANONICAL_DEPTH = 10, RESULT_TOKENS_MOST = 1 << 20 };

struct locality {
    const struct desk *desk;
    deadline by;
};

static bool is_local(void *context, slice domain)
{
    const struct locality *l = context;

    return desk_is_local(l->desk, domain, l->by);
}

void maps_log_failure(const struct tables *t, slice key, const struct err *err)
{
    event_look_up_failed(tables_failed(t), key, err);
}

static enum table_got look_up(const struct desk *d, const char *id, const struct address_map *m, slice address,
                              deadline by, struct buf *value, struct err *err)
{
    struct locality locality = {d, by};
    const struct address_lookup how = {
        .delimiters = slice_text(d->params->recipient_delimiter),
        .is_local_domain = is_local,
        .context = &locality,
        .propagate_extension = m->propagate_extension,
    };
    enum table_got got =
        tables_get_address(m->tables, address, ADDRESS_FULL | ADDRESS_USER | ADDRESS_DOMAIN, &how, by, value, err);

    if (got == TABLE_FAILED) {
        bool bcc = m == &d->sender_bcc || m == &d->recipient_bcc;

        maps_log_failure(m->tables, address, err);
        event_warning("%s: %s map lookup problem%s%.*s -- message not accepted, try again later", id, m->name,
                      bcc ? "" : " for ", bcc ? 0 : (int)address.n, address.p);
        (void)err_set(err, ERR_TEMPORARY, "%s map lookup problem", m->name);
    }
    return got;
}

/* A table's value is read as an address header's is: words outside <> are an address each. */
static bool results_parse(const char *map, slice value, struct arena *arena, struct list_node **first, struct err *err)
{
    return address_list_parse(value, RESULT_TOKENS_MOST, arena, first) ||
           err_set(err, ERR_LIMIT, "%s: value too long: %.*s...", map, S_ARG(slice_head(value, 100)));
}

static bool result_unquote(slice external, struct arena *arena, slice *out)
{
    AUTO_BUF struct buf internal = BUF_INIT(VALUE_MOST);

    return address_unquote(external, &internal) && arena_copy(arena, buf_slice(&internal), out);
}

/* The next address of *AT, rewritten; "@domain" takes the local part of KEY.  *ANY is false when there is none. */
static bool next_result(const struct desk *d, struct list_node **at, slice key, struct arena *arena, deadline by,
                        slice *out, bool *any, struct err *err)
{
    slice local, domain, address;

    while (*at != NULL && (*at)->kind != NODE_ADDRESS)
        *at = (*at)->next;
    *any = *at != NULL;
    if (!*any)
        return true;
    if (!result_unquote((*at)->text, arena, &address))
        return desk_too_long((*at)->text, err);
    *at = (*at)->next;
    if (address.n > 1 && address.p[0] == '@') {
        address_split(key, &local, &domain);
        if (!arena_printf(arena, &address, "%.*s%.*s", S_ARG(local), S_ARG(address)))
            return desk_too_long(address, err);
    }
    return desk_rewrite_internal(d, address, arena, by, out, err);
}

/* ---- canonical ---- */

static bool apply_canonical(const struct desk *d, const char *id, const struct address_map *m, struct arena *arena,
                            deadline by, slice *address, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);
    slice first = *address, at = first;

    for (int depth = 0; depth < CANONICAL_DEPTH; depth++) {
        enum table_got got = look_up(d, id, m, at, by, &value, err);
        slice next = at, more;
        struct list_node *rest;
        bool any, several;

        if (got == TABLE_FAILED)
            return false;
        if (got == TABLE_NOT_FOUND) {
            *address = at;
            return true;
        }
        if (!results_parse(m->name, buf_slice(&value), arena, &rest, err) ||
            !next_result(d, &rest, at, arena, by, &next, &any, err) ||
            !next_result(d, &rest, at, arena, by, &more, &several, err))
            return false;
        if (several)
            event_warning("%s: multi-valued %s entry for %.*s", id, m->name, S_ARG(at));
        if (!any || slice_eq_case(next, at)) {
            *address = any ? next : at;
            return true;
        }
        at = next;
    }
    event_warning("%s: unreasonable %s map nesting for %.*s -- message not accepted, try again later", id, m->name,
                  S_ARG(first));
    return true;
}

/* LOCAL@domain, the domain in lower case. */
static bool join_folded(struct arena *arena, slice local, slice domain, slice *out)
{
    AUTO_BUF struct buf folded = BUF_INIT(VALUE_MOST);

    return table_fold(domain, &folded) &&
           arena_printf(arena, out, "%.*s@%.*s", S_ARG(local), S_ARG(buf_slice(&folded)));
}

/* Cuts the host names off that masquerade_domains hides. */
static bool masquerade(const struct desk *d, deadline by, struct arena *arena, slice *address)
{
    slice local, domain, rest = slice_text(d->params->masquerade_domains), parent;
    struct err ignored;

    address_split(*address, &local, &domain);
    if (domain.n == 0 || rest.n == 0 ||
        match_list_has(d->masquerade_exceptions, local, S(""), by, &ignored) == TABLE_FOUND)
        return true;
    while (cut_word(&rest, ", \t\r\n", &parent)) {
        bool hide = !cut_char(&parent, '!');
        slice tail = slice_skip(domain, domain.n - (parent.n < domain.n ? parent.n : domain.n));

        if (!slice_eq_case(tail, parent))
            continue;
        if (tail.n < domain.n && tail.p[-1] != '.')
            continue;
        return !hide || tail.n == domain.n || join_folded(arena, local, tail, address);
    }
    return true;
}

bool maps_canonical(const struct desk *d, const char *id, enum address_class class, slice address, struct arena *arena,
                    deadline by, slice *out, struct err *err)
{
    bool is_sender = class == ADDRESS_ENVELOPE_SENDER || class == ADDRESS_HEADER_SENDER;
    const struct address_map *maps[] = {is_sender ? &d->sender_canonical : &d->recipient_canonical, &d->canonical};

    for (size_t i = 0; i < COUNT_OF(maps); i++)
        if ((maps[i]->classes & class) != 0 && !tables_empty(maps[i]->tables) &&
            !apply_canonical(d, id, maps[i], arena, by, &address, err))
            return false;
    if ((d->masquerade_classes & class) != 0 && !masquerade(d, by, arena, &address))
        return desk_too_long(address, err);
    *out = address;
    return true;
}

/* ---- virtual aliases ---- */

static bool add_entry(struct address_entries *e, struct arena *arena, struct address_entry entry)
{
    if (e->count == e->room) {
        size_t room = e->room == 0 ? 8 : e->room * 2;
        struct address_entry *items = arena_alloc_array(arena, room, sizeof *items);

        if (items == NULL)
            return false;
        if (e->count > 0)
            memcpy(items, e->items, e->count * sizeof *items);
        e->items = items;
        e->room = room;
    }
    e->items[e->count++] = entry;
    return true;
}

static enum expand_got unreasonable(const struct desk *d, const char *id, const char *what, slice address)
{
    event_warning("%s: unreasonable %s map %s for %.*s -- message not accepted, try again later", id,
                  d->virtual_alias.name, what, S_ARG(address));
    return EXPAND_UNREASONABLE;
}

/* The first result takes the entry's place, the others come last.  One that is the name itself is not looked up again.
 */
static enum expand_got replace_entry(const struct desk *d, const char *id, size_t at, slice value, struct arena *arena,
                                     deadline by, struct address_entries *e, struct err *err)
{
    slice key = e->items[at].address, address;
    int depth = e->items[at].depth + 1;
    struct list_node *rest;
    bool any, first = true;

    if (!results_parse(d->virtual_alias.name, value, arena, &rest, err))
        return EXPAND_FAILED;
    while (next_result(d, &rest, key, arena, by, &address, &any, err)) {
        const struct address_entry entry = {address, depth, any && slice_eq_case(address, key)};

        if (!any) {
            e->items[at].final = e->items[at].final || first;
            return EXPAND_DONE;
        }
        if (address.n > (size_t)d->params->virtual_alias_address_length_limit)
            return unreasonable(d, id, "result length", key);
        if (first)
            e->items[at] = entry;
        else if (!add_entry(e, arena, entry))
            return unreasonable(d, id, "expansion size", key);
        first = false;
    }
    return EXPAND_FAILED;
}

enum expand_got maps_expand(const struct desk *d, const char *id, slice address, struct arena *arena, deadline by,
                            struct address_entries *entries, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);
    enum expand_got result = EXPAND_SAME;

    *entries = (struct address_entries){.count = 0};
    if (!add_entry(entries, arena, (struct address_entry){.address = address}))
        return EXPAND_UNREASONABLE;
    if (tables_empty(d->virtual_alias.tables))
        return EXPAND_SAME;
    for (size_t i = 0; i < entries->count; i++) {
        while (!entries->items[i].final) {
            enum table_got got = look_up(d, id, &d->virtual_alias, entries->items[i].address, by, &value, err);

            if (got == TABLE_NOT_FOUND)
                break;
            if (got == TABLE_FAILED)
                return EXPAND_FAILED;
            if (entries->items[i].depth >= d->params->virtual_alias_recursion_limit)
                return unreasonable(d, id, "nesting", address);
            result = replace_entry(d, id, i, buf_slice(&value), arena, by, entries, err);
            if (result != EXPAND_DONE)
                return result;
            if (entries->count > (size_t)d->params->virtual_alias_expansion_limit)
                return unreasonable(d, id, "expansion size", address);
        }
    }
    return result;
}

bool maps_bcc(const struct desk *d, const char *id, const struct address_map *m, slice address, struct arena *arena,
              deadline by, slice *out, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);

    *out = S("");
    if (tables_empty(m->tables) || address.n == 0)
        return true;
    switch (look_up(d, id, m, address, by, &value, err)) {
    case TABLE_FAILED:
        return false;
    case TABLE_NOT_FOUND:
        return true;
    case TABLE_FOUND:
        break;
    }
    return arena_copy(arena, buf_slice(&value), out) || desk_too_long(buf_slice(&value), err);
}
