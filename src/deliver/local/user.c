/* Users: who they are, and which way their mail goes. */
#include "deliver/local/local.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>

#include "core/base/account.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/run/pool.h"
#include "mail/events/events.h"

enum { NAME_MOST = 256, PASSWD_BYTES = 16 * 1024 };

/* ---- who is it: the password file may be LDAP, so it is asked on a helper thread ---- */
struct question {
    char name[NAME_MOST]; /* empty: by id */
    uid_t uid;
    char memory[PASSWD_BYTES];
    struct passwd entry, *found;
    int error;
};

static void look_once(struct question *q)
{
    q->error = q->name[0] != '\0' ? getpwnam_r(q->name, &q->entry, q->memory, sizeof q->memory, &q->found)
                                  : getpwuid_r(q->uid, &q->entry, q->memory, sizeof q->memory, &q->found);
    if (q->error == ENOENT || q->error == ESRCH)
        q->error = 0; /* what NSS says for "no such user" */
}

/* It says that, too, when it could not read the file this time: a no is asked for twice. */
static void look_up(void *arg)
{
    struct question *q = arg;

    look_once(q);
    if (q->found == NULL && q->error == 0)
        look_once(q);
    if (q->found == NULL && q->error == 0)
        q->error = account_file_trouble("/etc/passwd");
}

static bool name_from(slice name, char to[NAME_MOST])
{
    if (name.n == 0 || !text_from_slice(name, to, NAME_MOST) || slice_find(name, '/') != SLICE_NONE)
        return false;
    for (char *c = to; *c != '\0'; c++)
        *c = ascii_lower(*c);
    return true;
}

static enum user_got keep(struct arena *arena, const struct question *q, const struct user **out)
{
    struct user *u = ARENA_NEW(arena, struct user);
    const char *name = arena_text(arena, slice_text(q->found->pw_name));
    const char *home = arena_text(arena, slice_text(q->found->pw_dir)),
               *shell = arena_text(arena, slice_text(q->found->pw_shell));

    if (u == NULL || name == NULL || home == NULL || shell == NULL)
        return USER_FAILED;
    *u = (struct user){.name = name, .home = home, .shell = shell, .id = {q->found->pw_uid, q->found->pw_gid}};
    *out = u;
    return USER_FOUND;
}

/* Q is freed. */
static enum user_got ask(struct arena *arena, struct question *q, const struct user **out)
{
    enum user_got got = USER_UNKNOWN;

    pool_run(look_up, q);
    if (q->error != 0) {
        event_warning("look up user %s (%ld): %s", q->name, (long)q->uid, strerror(q->error));
        got = USER_FAILED;
    } else if (q->found != NULL) {
        got = keep(arena, q, out);
    }
    free(q);
    return got;
}

enum user_got user_find(struct arena *arena, slice name, const struct user **out)
{
    struct question *q = calloc(1, sizeof *q);

    if (q == NULL)
        return USER_FAILED;
    if (name_from(name, q->name))
        return ask(arena, q, out);
    free(q);
    return USER_UNKNOWN;
}

enum user_got user_find_id(struct arena *arena, uid_t uid, const struct user **out)
{
    struct question *q = calloc(1, sizeof *q);

    if (q == NULL)
        return USER_FAILED;
    q->uid = uid;
    return ask(arena, q, out);
}

/* ---- other ends ---- */

/* Every mail system must take mail for these; without an alias or user it is thrown away, and said so. */
static bool is_required(slice name)
{
    return slice_eq_case(name, S("postmaster")) || slice_eq_case(name, S("mailer-daemon"));
}

static slice lower(struct delivery *d, slice name)
{
    AUTO_BUF struct buf folded = BUF_INIT(64 * 1024);

    (void)table_fold(name, &folded);
    return arena_keep(d->request->arena, buf_slice(&folded), name);
}

static void unknown(struct delivery *d, const struct name *n)
{
    delivery_refuse(
        d, n->from, n->address, (struct dsn_code){5, 1, 1},
        arena_format(d->request->arena, S("unknown user"), "unknown user: \"%.*s\"", S_ARG(lower(d, n->base))));
}

static void nobody(struct delivery *d, const struct name *n)
{
    AUTO_BUF struct buf relay = BUF_INIT(64 * 1024);
    struct origin *o;
    slice name = lower(d, n->base);

    if (world.params->luser_relay[0] != '\0') {
        o = ARENA_NEW(d->request->arena, struct origin);
        if (o == NULL || !macros_expand(n, NULL, "luser_relay", world.params->luser_relay, "", &relay)) {
            delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 5}, S("mail system configuration error"));
            return;
        }
        *o = *n->from;
        o->name = n;
        o->depth = n->depth;
        o->unmatched = S("");
        o->relayed = true;
        expand_address(d, o, arena_keep(d->request->arena, buf_slice(&relay), S("")));
    } else if (is_required(name)) {
        event_warning("required alias not found: %.*s", S_ARG(name));
        delivery_refuse(d, n->from, n->address, (struct dsn_code){2, 0, 0}, S("discarded"));
    } else {
        unknown(d, n);
    }
}

/* TRANSPORT is "transport:nexthop". */
static void pass(struct delivery *d, const struct name *n, slice transport)
{
    struct recipient one = *d->to;
    slice spec = transport, name = transport;
    struct outcome o;
    struct err err;

    if (!cut_until(&spec, ':', &name))
        spec = S("");
    one.address = n->address;
    if (n->from->has_owner)
        one.original = one.dsn_orig_rcpt = S("");
    if (agent_pass(d->request, &one, name, spec.n > 0 ? spec : n->domain, &o, &err)) {
        delivery_passed(d, n->from, n->address, o);
        return;
    }
    event_warning("%.*s: pass to %.*s: %s", S_ARG(d->request->wire.queue_id), S_ARG(transport), err.text);
    delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 0}, S("mail transport unavailable"));
}

/* By the table, or by the parameter for all.  True: it was handed on, or that cannot be told now. */
static bool passed_on(struct delivery *d, const struct name *n, struct tables *maps, const char *maps_name,
                      const char *everybody)
{
    AUTO_BUF struct buf value = BUF_INIT(4096);
    struct err err;

    switch (tables_get(maps, lower(d, n->base), d->request->by, &value, &err)) {
    case TABLE_FOUND:
        pass(d, n, buf_slice(&value));
        return true;
    case TABLE_FAILED:
        event_warning("%s: %s", maps_name, err.text);
        delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 5}, S("mail system configuration error"));
        return true;
    case TABLE_NOT_FOUND:
        break;
    }
    if (everybody[0] == '\0')
        return false;
    pass(d, n, slice_text(everybody));
    return true;
}

/* True: a command stands for the mailbox, or that cannot be told now. */
static bool commanded(struct delivery *d, const struct name *n, const struct user *u)
{
    AUTO_BUF struct buf value = BUF_INIT(64 * 1024);
    struct err err;

    switch (tables_get(world.mailbox_commands, lower(d, n->base), d->request->by, &value, &err)) {
    case TABLE_FOUND:
        command_deliver(d, n->from, n, u, arena_keep(d->request->arena, buf_slice(&value), S("false")));
        return true;
    case TABLE_FAILED:
        event_warning("mailbox_command_maps: %s", err.text);
        delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 5}, S("mail system configuration error"));
        return true;
    case TABLE_NOT_FOUND:
        break;
    }
    if (world.params->mailbox_command[0] == '\0')
        return false;
    command_deliver(d, n->from, n, u, slice_text(world.params->mailbox_command));
    return true;
}

void user_deliver(struct delivery *d, const struct name *n)
{
    const struct user *u = NULL;
    enum user_got got = user_find(d->request->arena, n->base, &u);
    bool own_forward = n->plain || slice_eq_case(n->from->only, n->base);

    if (got == USER_FAILED) {
        delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 0}, S("user database unavailable"));
        return;
    }
    if (got == USER_UNKNOWN && n->from->relayed) { /* luser_relay is no help for itself */
        unknown(d, n);
        return;
    }
    if (got == USER_FOUND && !own_forward) {
        if (!delivery_first(d, "forward", n->local) || forward_file_expand(d, n, u))
            return;
    }
    if (!delivery_first(d, "mailbox", n->local) ||
        passed_on(d, n, world.mailbox_transports, "mailbox_transport_maps", world.params->mailbox_transport))
        return; /* one copy per user, extension and request */
    if (got == USER_UNKNOWN) {
        if (!passed_on(d, n, world.fallback_transports, "fallback_transport_maps", world.params->fallback_transport))
            nobody(d, n);
    } else if (!commanded(d, n, u)) {
        mailbox_put(d, n, u);
    }
}
