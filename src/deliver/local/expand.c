/* From destinations to names, and from names to ends: aliases first, then the rules for new messages, then users. */
#include "deliver/local/local.h"

#include <stdio.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"

enum { DEPTH_MOST = 100 };

static const struct dsn_code no_memory = {4, 3, 1};

static slice shown(const struct delivery *d, const struct origin *o)
{
    return o->name != NULL ? o->name->address : d->to->address;
}

/* ---- names ---- */

/* NULL: no memory, which is the recipient's outcome. */
static struct name *add_name(struct delivery *d, const struct origin *o, slice address, int depth)
{
    struct name *n = ARENA_NEW(d->request->arena, struct name);

    if (n == NULL || !arena_copy(d->request->arena, address, &n->address)) {
        d->exhausted = true;
        delivery_refuse(d, o, shown(d, o), no_memory, S("alias list too long"));
        return NULL;
    }
    address_split(n->address, &n->local, &n->domain);
    address_split_extension(n->local, slice_text(world.params->recipient_delimiter), &n->base, &n->extension);
    n->from = o;
    n->depth = depth;
    *d->last_name = n;
    d->last_name = &n->next;
    return n;
}

static bool ends_early(struct delivery *d, const struct name *n)
{
    char level[32];
    AUTO_BUF struct buf lower = BUF_INIT(64 * 1024);

    (void)snprintf(level, sizeof level, "%s level %d", n->plain ? "user" : "name", n->depth);
    if (!delivery_first(d, level, n->address))
        return true;
    if (n->depth > DEPTH_MOST) {
        event_warning("alias database loop for %.*s", S_ARG(n->local));
        delivery_refuse(
            d, n->from, n->address, (struct dsn_code){5, 4, 6},
            arena_format(d->request->arena, S("alias database loop"), "alias database loop for %.*s", S_ARG(n->local)));
        return true;
    }
    (void)table_fold(n->address, &lower);
    if (map_get(&d->delivered, buf_slice(&lower)) == NULL)
        return false;
    delivery_refuse(
        d, n->from, n->address, (struct dsn_code){5, 4, 6},
        arena_format(d->request->arena, S("mail forwarding loop"), "mail forwarding loop for %.*s", S_ARG(n->address)));
    return true;
}

/* An alias that names itself means the user. */
static bool is_alias(struct delivery *d, const struct name *n)
{
    slice self = n->from->self;

    if (n->plain)
        return false;
    return (!slice_eq_case(n->local, self) && alias_expand(d, n, n->local, S(""))) ||
           (n->base.n < n->local.n && !slice_eq_case(n->base, self) &&
            alias_expand(d, n, n->base, slice_skip(n->local, n->base.n)));
}

/* Users other than the one a .forward belongs to, all members of a list with an owner, and whoever is in an :include:
 * file get a message of their own: each then has a state of his own on disk. */
static bool needs_message(const struct name *n)
{
    return n->from->listed || (n->from->only.n > 0 && !slice_eq_case(n->from->only, n->base));
}

static void expand_name(struct delivery *d, const struct name *n)
{
    if (ends_early(d, n) || is_alias(d, n))
        return;
    if (needs_message(n))
        forward_add(d, n->from, n->address);
    else
        user_deliver(d, n);
}

void expand_recipient(struct delivery *d)
{
    struct origin *o = ARENA_NEW(d->request->arena, struct origin);

    if (o == NULL)
        return; /* the frame defers it */
    *o = (struct origin){.sender = d->request->wire.sender, .delivered_to = d->to->address};
    (void)add_name(d, o, d->to->address, 0);
    for (const struct name *n = d->names; n != NULL; n = n->next)
        expand_name(d, n);
}

/* ---- destinations ---- */

/* ADDRESS with the extension that nobody used. */
static slice with_extension(struct delivery *d, const struct origin *o, slice address)
{
    slice local, domain;

    if (o->unmatched.n == 0 || (world.extensions_through & o->context) == 0)
        return address;
    address_split(address, &local, &domain);
    return arena_format(d->request->arena, address, domain.n > 0 ? "%.*s%.*s@%.*s" : "%.*s%.*s", S_ARG(local),
                        S_ARG(o->unmatched), S_ARG(domain));
}

/* PLAIN: whatever aliases there are. */
static void expand_one(struct delivery *d, const struct origin *o, slice address, bool plain)
{
    struct agent_request *r = d->request;
    struct resolved to;
    struct err err;
    slice internal;

    address = with_extension(d, o, address);
    if (!address_rewrite_internal(world.resolver, S("local"), address, r->arena, r->by, &internal, &err) ||
        !address_resolve(world.resolver, o->sender, internal, r->arena, r->by, &to, &err)) {
        event_warning("%.*s: resolve %.*s: %s", S_ARG(r->wire.queue_id), S_ARG(address), err.text);
        delivery_refuse(d, o, address, (struct dsn_code){4, 3, 0}, S("address resolver failure"));
    } else if ((to.flags & RESOLVE_FAIL) != 0) {
        delivery_refuse(d, o, address, (struct dsn_code){4, 3, 0}, S("address resolver failure"));
    } else if ((to.flags & RESOLVE_ERROR) != 0) {
        delivery_refuse(d, o, shown(d, o), (struct dsn_code){5, 1, 3},
                        arena_format(r->arena, S("bad recipient address syntax"), "bad recipient address syntax: %.*s",
                                     S_ARG(to.recipient)));
    } else if ((to.flags & RESOLVE_LOCAL) == 0 || !slice_eq(to.transport, slice_text(world.service))) {
        forward_add(d, o, internal);
    } else {
        struct name *n = add_name(d, o, to.recipient, o->depth + 1);

        if (n != NULL)
            n->plain = plain;
    }
}

void expand_address(struct delivery *d, const struct origin *o, slice address)
{
    expand_one(d, o, address, false);
}

/* Is this kind of destination allowed in such a text? */
static bool allowed(struct delivery *d, const struct origin *o, unsigned contexts, const char *what)
{
    if ((contexts & o->context) != 0)
        return true;
    delivery_refuse(d, o, shown(d, o), (struct dsn_code){5, 7, 1},
                    arena_format(d->request->arena, S("restricted"), "mail to %s is restricted", what));
    return false;
}

struct expansion {
    struct delivery *d;
    const struct origin *o;
};

static void expand_item(void *arg, slice item)
{
    struct expansion *x = arg;
    struct delivery *d = x->d;
    AUTO_BUF struct buf internal = BUF_INIT(64 * 1024);

    if (d->exhausted)
        return;
    if (slice_starts_case(item, S(":include:"))) {
        include_expand(d, x->o, slice_trim(slice_skip(item, S(":include:").n)));
    } else if (item.p[0] == '|') {
        if (allowed(d, x->o, world.commands_from, "command"))
            command_deliver(d, x->o, x->o->name, x->o->rights, slice_trim(slice_skip(item, 1)));
    } else if (item.p[0] == '/') {
        if (allowed(d, x->o, world.files_from, "file"))
            file_put(d, x->o, item);
    } else {
        bool plain = cut_char(&item, '\\');

        while (cut_char(&item, '\\'))
            continue;
        if (item.n > 0 && address_unquote(item, &internal))
            expand_one(d, x->o, arena_keep(d->request->arena, buf_slice(&internal), item), plain);
    }
}

size_t expand_text(struct delivery *d, const struct origin *o, slice text)
{
    struct expansion x = {d, o};

    return items_each(text, d->request->arena, expand_item, &x);
}
