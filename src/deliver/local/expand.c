/* Aliases: a name becomes a list; each item is a user here, an address elsewhere, a file, or something we do not do. */
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
static bool first_time(struct delivery *d, const char *kind, slice what)
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

    if (!first_time(d, "address", address))
        return;
    f = ARENA_NEW(d->request->arena, struct forward);
    if (f == NULL || !arena_copy(d->request->arena, address, &f->address)) {
        delivery_add(d, address, local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 1}, S("alias list too long")));
        return;
    }
    *d->last_forward = f;
    d->last_forward = &f->next;
}

/* An address from an alias: ours and inline, or for a new message. */
static void expand_address(struct delivery *d, slice address, int depth)
{
    struct resolved to;
    struct err err;
    slice internal, local, domain;

    if (!address_rewrite_internal(world.resolver, S("local"), address, d->request->arena, d->request->by, &internal, &err) ||
        !address_resolve(world.resolver, d->request->wire.sender, internal, d->request->arena, d->request->by, &to, &err)) {
        event_warning("%.*s: resolve %.*s: %s", S_ARG(d->request->wire.queue_id), S_ARG(address), err.text);
        delivery_add(d, address, local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("address resolver failure")));
        return;
    }
    address_split(to.recipient, &local, &domain);
    if ((to.flags & RESOLVE_LOCAL) == 0 || !slice_eq(to.transport, slice_text(world.service)) || d->owner.n > 0) {
        forward_to(d, internal);
        return;
    }
    expand_name(d, local, depth + 1);
}

static void refuse_item(struct delivery *d, slice item, const char *what)
{
    event_warning("%.*s: alias entry \"%.*s\": %s is not available here", S_ARG(d->request->wire.queue_id), S_ARG(item), what);
    delivery_add(d, d->to->address,
                 local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 5}, S("mail system configuration error")));
}

static void expand_item(struct delivery *d, slice item, int depth)
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
        user_deliver(d, item);
    else if (address_unquote(item, &internal))
        expand_address(d, arena_keep(d->request->arena, buf_slice(&internal), item), depth);
}

/* Items are separated by commas; quotes keep blanks and commas together ("|command arguments"). */
static bool next_item(slice *rest, slice *item)
{
    bool quoted = false;
    size_t n = 0;

    while (rest->n > 0 && (ascii_is_space(rest->p[0]) || rest->p[0] == ','))
        *rest = slice_skip(*rest, 1);
    if (rest->n == 0)
        return false;
    while (n < rest->n && (quoted || rest->p[n] != ',')) {
        if (rest->p[n] == '\\' && n + 1 < rest->n && quoted)
            n++;
        else if (rest->p[n] == '"')
            quoted = !quoted;
        n++;
    }
    *item = slice_trim(slice_head(*rest, n));
    *rest = slice_skip(*rest, n);
    if (item->n >= 2 && item->p[0] == '"' && item->p[item->n - 1] == '"' && slice_find(*item, '@') == SLICE_NONE)
        *item = slice_of(item->p + 1, item->n - 2);
    return true;
}

/* "user <x@y>" in an alias means x@y. */
static slice bare_address(struct delivery *d, slice item)
{
    struct header_address found;
    slice rest = item;

    if (item.p[0] == '|' || item.p[0] == '/' || item.p[0] == ':' || item.p[0] == '\\' || slice_find(item, '<') == SLICE_NONE)
        return item;
    return header_next_address(&rest, d->request->arena, &found) ? found.external : item;
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
    slice rest, item;

    switch (look_up(d, name, &value, &err)) {
    case TABLE_NOT_FOUND:
        return false;
    case TABLE_FAILED:
        event_warning("alias_maps: %s", err.text);
        delivery_add(d, at_domain(d, name), local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("alias database unavailable")));
        return true;
    default:
        break;
    }
    d->through_alias = true;
    set_owner(d, name);
    rest = buf_slice(&value);
    while (next_item(&rest, &item))
        expand_item(d, bare_address(d, item), depth);
    return true;
}

void expand_name(struct delivery *d, slice name, int depth)
{
    slice base, extension;

    if (depth > DEPTH_MOST) {
        delivery_add(d, at_domain(d, name),
                     local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 6},
                                   arena_format(d->request->arena, S("alias database loop"), "alias database loop for %.*s", S_ARG(name))));
        return;
    }
    address_split_extension(name, slice_text(world.params->recipient_delimiter), &base, &extension);
    /* An alias that names itself means the user; one met a second time has been expanded already. */
    if (first_time(d, "alias", name)) {
        if (expand_alias(d, name, depth) || (extension.n > 0 && expand_alias(d, base, depth)))
            return;
    }
    user_deliver(d, extension.n > 0 ? base : name);
}
