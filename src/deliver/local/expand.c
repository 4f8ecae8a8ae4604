/* Aliases: a name becomes a list; each item is a user here, an address elsewhere, a file, or something we do not do. */
#include <stdio.h>

#include "core/base/cut.h"
#include "core/conf/main_cf.h"
#include "deliver/local/local.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"
#include "mail/syntax/header.h"

enum { DEPTH_MOST = 100, VALUE_MOST = 1 << 20 };

static slice at_domain(struct delivery *d, slice name)
{
    return arena_format(d->request->arena, name, d->domain.n > 0 ? "%.*s@%.*s" : "%.*s", S_ARG(name), S_ARG(d->domain));
}

/* True the first time. */
static bool met_first(struct delivery *d, const char *kind, slice what)
{
    AUTO_BUF struct buf key = BUF_INIT(4096);
    static char mark;

    (void)buf_addf(&key, "%s ", kind);
    for (size_t i = 0; i < what.n; i++)
        (void)buf_add_char(&key, ascii_lower(what.p[i]));
    return map_set(&d->seen, buf_slice(&key), &mark) == NULL;
}

static void forward_to(struct delivery *d, slice address)
{
    struct forward *f;

    if (!met_first(d, "address", address))
        return;
    f = ARENA_NEW(d->request->arena, struct forward);
    if (f == NULL || !arena_copy(d->request->arena, address, &f->address)) {
        delivery_add(d, address, local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 1}, S("alias list too long")));
        return;
    }
    *d->last_forward = f;
    d->last_forward = &f->next;
}

/* A hundred names within each other need no stack: what a name stands for waits its turn. */
static void expand_later(struct delivery *d, slice name, slice parent, int depth)
{
    struct pending *p = ARENA_NEW(d->request->arena, struct pending);

    if (p == NULL || !arena_copy(d->request->arena, name, &p->name) ||
        !arena_copy(d->request->arena, parent, &p->parent)) {
        delivery_add(d, at_domain(d, name),
                     local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 1}, S("alias list too long")));
        return;
    }
    p->depth = depth;
    *d->last_pending = p;
    d->last_pending = &p->next;
}

/* An address from an alias: ours and inline, or for a new message. */
static void expand_address(struct delivery *d, slice address, slice parent, int depth)
{
    struct resolved to;
    struct err err;
    slice internal, local, domain;

    if (!address_rewrite_internal(world.resolver, S("local"), address, d->request->arena, d->request->by, &internal,
                                  &err) ||
        !address_resolve(world.resolver, d->request->wire.sender, internal, d->request->arena, d->request->by, &to,
                         &err)) {
        event_warning("%.*s: resolve %.*s: %s", S_ARG(d->request->wire.queue_id), S_ARG(address), err.text);
        delivery_add(d, address,
                     local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("address resolver failure")));
        return;
    }
    if ((to.flags & RESOLVE_ERROR) != 0) {
        delivery_add(d, d->to->address,
                     local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 1, 3},
                                   arena_format(d->request->arena, S("bad recipient address syntax"),
                                                "bad recipient address syntax: %.*s", S_ARG(to.recipient))));
        return;
    }
    address_split(to.recipient, &local, &domain);
    if ((to.flags & RESOLVE_LOCAL) == 0 || !slice_eq(to.transport, slice_text(world.service)) || d->owner.n > 0) {
        forward_to(d, internal);
        return;
    }
    expand_later(d, local, parent, depth + 1);
}

static void refuse_item(struct delivery *d, slice item, const char *what)
{
    event_warning("%.*s: alias entry \"%.*s\": %s is not available here", S_ARG(d->request->wire.queue_id), S_ARG(item),
                  what);
    delivery_add(d, d->to->address,
                 local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 5}, S("mail system configuration error")));
}

static void expand_item(struct delivery *d, slice item, slice parent, int depth)
{
    AUTO_BUF struct buf internal = BUF_INIT(4096);

    if (item.n == 0)
        return;
    if (item.p[0] == '|')
        refuse_item(d, item, "delivery to commands");
    else if (item.p[0] == '/')
        refuse_item(d, item, "delivery to files");
    else if (slice_starts_case(item, S(":include:")))
        refuse_item(d, item, "an included list");
    else if (cut_char(&item, '\\'))
        user_deliver(d, item, item);
    else if (address_unquote(item, &internal))
        expand_address(d, arena_keep(d->request->arena, buf_slice(&internal), item), parent, depth);
}

/* Elements are separated by commas, semicolons and line ends; quotes keep them together ("|command arguments"). */
static bool next_element(slice *rest, slice *element)
{
    static const char separators[] = ",;\n";
    bool quoted = false;
    size_t n = 0;

    while (rest->n > 0 && (ascii_is_space(rest->p[0]) || strchr(separators, rest->p[0]) != NULL))
        *rest = slice_skip(*rest, 1);
    if (rest->n == 0)
        return false;
    while (n < rest->n && (quoted || strchr(separators, rest->p[n]) == NULL)) {
        if (rest->p[n] == '\\' && n + 1 < rest->n && quoted)
            n++;
        else if (rest->p[n] == '"')
            quoted = !quoted;
        n++;
    }
    *element = slice_trim(slice_head(*rest, n));
    *rest = slice_skip(*rest, n);
    return true;
}

/* The next word of an element, without comments and the name of a group ("Friends:"). */
static bool next_word(slice *rest, slice *word)
{
    bool quoted = false;
    size_t n = 0, close;

    for (;;) {
        *rest = slice_trim(*rest);
        if (rest->n == 0)
            return false;
        if (rest->p[0] != '(')
            break;
        close = slice_find(*rest, ')');
        *rest = close == SLICE_NONE ? S("") : slice_skip(*rest, close + 1);
    }
    while (n < rest->n && (quoted || (!ascii_is_space(rest->p[n]) && rest->p[n] != '('))) {
        if (rest->p[n] == '\\' && n + 1 < rest->n)
            n++;
        else if (rest->p[n] == '"')
            quoted = !quoted;
        n++;
    }
    *word = slice_head(*rest, n);
    *rest = slice_skip(*rest, n);
    return !slice_ends(*word, S(":")) || next_word(rest, word);
}

/* Is it one item as it stands, and no list of addresses? */
static bool is_special(slice element)
{
    return element.p[0] == '|' || element.p[0] == '/' || slice_starts_case(element, S(":include:"));
}

static bool is_quoted_item(slice element)
{
    return element.n >= 2 && element.p[0] == '"' && element.p[element.n - 1] == '"' &&
           slice_find(element, '@') == SLICE_NONE;
}

static void expand_element(struct delivery *d, slice element, slice parent, int depth)
{
    struct header_address found;
    slice word;

    if (is_special(element)) {
        expand_item(d, element, parent, depth);
    } else if (is_quoted_item(element)) {
        expand_item(d, slice_of(element.p + 1, element.n - 2), parent, depth);
    } else if (slice_find(element, '<') != SLICE_NONE) { /* "user <x@y>" means x@y */
        while (header_next_address(&element, d->request->arena, &found))
            expand_item(d, found.external, parent, depth);
    } else {
        while (next_word(&element, &word))
            expand_item(d, word, parent, depth);
    }
}

/* The alias of KEY, without the terminating NUL that postalias stores. */
static enum table_got look_up(struct delivery *d, slice key, struct buf *value, struct err *err)
{
    enum table_got got = tables_get(world.aliases, key, d->request->by, value, err);

    if (got == TABLE_FOUND && value->n > 0 && value->p[value->n - 1] == '\0')
        buf_truncate(value, value->n - 1);
    return got;
}

/* An alias with an owner- companion is a list: errors go to its owner. */
static void set_owner(struct delivery *d, slice name)
{
    AUTO_BUF struct buf key = BUF_INIT(1000), value = BUF_INIT(VALUE_MOST);
    struct err err;

    if (!world.params->owner_request_special || d->owner.n > 0 || slice_starts_case(name, S("owner-")))
        return;
    (void)buf_addf(&key, "owner-%.*s", S_ARG(name));
    if (look_up(d, buf_slice(&key), &value, &err) != TABLE_FOUND)
        return;
    d->owner = at_domain(d, arena_keep(d->request->arena, buf_slice(&key), S("")));
}

/* True: NAME was an alias, or cannot be looked up now. */
static bool expand_alias(struct delivery *d, slice name, int depth)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);
    struct err err;
    slice rest, element;

    switch (look_up(d, name, &value, &err)) {
    case TABLE_NOT_FOUND:
        return false;
    case TABLE_FAILED:
        event_warning("alias_maps: %s", err.text);
        delivery_add(d, at_domain(d, name),
                     local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("alias database unavailable")));
        return true;
    default:
        break;
    }
    d->through_alias = true;
    set_owner(d, name);
    rest = buf_slice(&value);
    while (next_element(&rest, &element))
        expand_element(d, element, name, depth);
    return true;
}

/* Names that stand for each other in a circle never reach a user. */
static void refuse_loop(struct delivery *d, slice name)
{
    event_warning("alias database loop for %.*s", S_ARG(name));
    delivery_add(d, at_domain(d, name),
                 local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 6},
                               arena_format(d->request->arena, S("alias database loop"), "alias database loop for %.*s",
                                            S_ARG(name))));
}

static void expand_now(struct delivery *d, slice name, slice parent, int depth)
{
    char level[32];
    slice base, extension;

    (void)snprintf(level, sizeof level, "level %d", depth);
    if (!met_first(d, level, name))
        return;
    if (depth > DEPTH_MOST) {
        refuse_loop(d, name);
        return;
    }
    address_split_extension(name, slice_text(world.params->recipient_delimiter), &base, &extension);
    /* An alias that names itself means the user. */
    if ((!slice_eq_case(name, parent) && expand_alias(d, name, depth)) ||
        (extension.n > 0 && !slice_eq_case(base, parent) && expand_alias(d, base, depth)))
        return;
    user_deliver(d, name, extension.n > 0 ? base : name);
}

void alias_expand(struct delivery *d, slice name)
{
    expand_now(d, name, S(""), 0);
    for (const struct pending *p = d->pending; p != NULL; p = p->next)
        expand_now(d, p->name, p->parent, p->depth);
}
