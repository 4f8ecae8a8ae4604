/* Aliases of the machine, and the owners of lists. */
#include "deliver/local/local.h"
#include "mail/events/events.h"
#include "mail/syntax/address.h"

enum { VALUE_MOST = 1 << 20 };

/* The alias of KEY, without the terminating NUL that postalias stores. */
static enum table_got look_up(struct delivery *d, slice key, struct buf *value)
{
    struct err err;
    enum table_got got = tables_get(world.aliases, key, d->request->by, value, &err);

    if (got == TABLE_FOUND && value->n > 0 && value->p[value->n - 1] == '\0')
        buf_truncate(value, value->n - 1);
    if (got == TABLE_FAILED)
        event_warning("alias_maps: %s", err.text);
    return got;
}

static void defer(struct delivery *d, const struct name *n, const char *why)
{
    delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 0}, slice_text(why));
}

/* Who is told of errors: the owner alias, or what it stands for. */
static slice owner_sender(struct delivery *d, slice owner, slice value)
{
    struct err err;
    slice address = world.params->expand_owner_alias ? slice_trim(value) : owner, sender = owner;

    if (!address_rewrite_internal(world.resolver, S("local"), address, d->request->arena, d->request->by, &sender, &err))
        event_warning("%.*s: owner %.*s: %s", S_ARG(d->request->wire.queue_id), S_ARG(owner), err.text);
    return sender;
}

/* An alias with an owner- companion is a list: errors go to its owner, and everybody gets a message of his own.  False:
 * it cannot be told now. */
static bool set_owner(struct delivery *d, slice key, struct origin *o)
{
    AUTO_BUF struct buf owner = BUF_INIT(4096), value = BUF_INIT(VALUE_MOST);
    slice kept;

    if (!world.params->owner_request_special || slice_starts_case(key, S("owner-")))
        return true;
    (void)buf_addf(&owner, "owner-%.*s", S_ARG(key));
    switch (look_up(d, buf_slice(&owner), &value)) {
    case TABLE_FAILED:
        return false;
    case TABLE_NOT_FOUND:
        if (world.params->reset_owner_alias)
            o->only = S("");
        return true;
    default:
        break;
    }
    kept = arena_keep(d->request->arena, buf_slice(&owner), S("owner"));
    o->only = kept;
    o->has_owner = true;
    o->sender = owner_sender(d, kept, buf_slice(&value));
    return true;
}

/* With whose rights is what this alias says done?  Those of the table's owner; root's are nobody's. */
static bool set_rights(struct delivery *d, uid_t owner, struct origin *o)
{
    o->rights = NULL;
    if (owner == 0)
        return true;
    if (owner == TABLE_NOBODY) {
        o->rights = &world.nobody;
        return true;
    }
    return user_find_id(d->request->arena, owner, &o->rights) == USER_FOUND;
}

static void expand(struct delivery *d, const struct origin *o, slice key, slice value)
{
    delivery_expanded(d, o);
    if (expand_text(d, o, value) == 0)
        event_warning("alias %.*s expands to nobody", S_ARG(key));
}

bool alias_expand(struct delivery *d, const struct name *n, slice key, slice unmatched)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);
    struct origin *o;
    uid_t owner;

    switch (look_up(d, key, &value)) {
    case TABLE_NOT_FOUND:
        return false;
    case TABLE_FAILED:
        defer(d, n, "alias database unavailable");
        return true;
    default:
        break;
    }
    owner = tables_owner(world.aliases);
    o = ARENA_NEW(d->request->arena, struct origin);
    if (o == NULL) {
        defer(d, n, "alias list too long");
        return true;
    }
    *o = *n->from;
    o->context = CONTEXT_ALIAS;
    o->name = n;
    o->self = arena_keep(d->request->arena, key, n->local);
    o->depth = n->depth;
    o->delivered_to = world.params->frozen_delivered_to ? n->from->delivered_to : n->address;
    o->unmatched = unmatched;
    if (!set_owner(d, key, o))
        defer(d, n, "alias database unavailable");
    else if (!set_rights(d, owner, o))
        defer(d, n, "the owner of the alias database is not known");
    else
        expand(d, o, key, buf_slice(&value));
    return true;
}
