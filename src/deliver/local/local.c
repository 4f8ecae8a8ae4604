/* local(8): delivers to users and aliases of this machine. */
#include "deliver/local/local.h"

#include "core/base/bug.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"

/* True: handled for good. */
static bool report_part(struct delivery *d, const struct part *p)
{
    if (p->passed)
        return p->outcome.kind != OUTCOME_DEFERRED;
    return agent_report_part(d->request, &p->recipient, &p->outcome);
}

/* Everything gathered for elsewhere becomes one new message. */
static struct outcome forward_outcome(struct delivery *d)
{
    struct err err;
    slice id;

    if ((d->request->wire.flags & (DELIVERY_MTA_PROBE | DELIVERY_USER_PROBE)) != 0)
        return local_outcome(OUTCOME_DELIVERED, (struct dsn_code){2, 0, 0}, S("aliased"));
    if (!forward_post(d, &id, &err)) {
        event_warning("%.*s: forward: %s", S_ARG(d->request->wire.queue_id), err.text);
        return local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("unable to forward message"));
    }
    return local_outcome(OUTCOME_DELIVERED, (struct dsn_code){2, 0, 0},
                         arena_format(d->request->arena, S("forwarded"), "forwarded as %.*s", S_ARG(id)));
}

/* One user and nothing else: the recipient's own line, under the user's address. */
static void conclude_single(struct delivery *d)
{
    if (d->parts->passed) {
        agent_settle(d->request, d->index, report_part(d, d->parts));
        return;
    }
    d->to->address = d->parts->recipient.address;
    agent_report(d->request, d->index, &d->parts->outcome);
}

static void conclude(struct delivery *d)
{
    bool all_done = true;

    if (d->parts == NULL && d->forwards == NULL) {
        struct outcome nobody =
            local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 6}, S("alias expands to nobody"));

        agent_report(d->request, d->index, &nobody);
        return;
    }
    if (d->forwards == NULL && d->parts->next == NULL) {
        conclude_single(d);
        return;
    }
    for (const struct part *p = d->parts; p != NULL; p = p->next)
        if (!report_part(d, p))
            all_done = false;
    if (d->forwards == NULL) {
        agent_settle(d->request, d->index, all_done);
        return;
    }
    if (all_done) {
        struct outcome forwarded = forward_outcome(d);

        agent_report(d->request, d->index, &forwarded);
    } else {
        agent_settle(d->request, d->index, false); /* forwarded when the rest goes through: nobody gets it twice */
    }
}

static void deliver_one(struct agent_request *r, size_t i)
{
    struct delivery d = {.request = r, .index = i, .to = &r->recipients[i]};
    struct err err;
    slice name;

    d.last_part = &d.parts;
    d.last_forward = &d.forwards;
    d.last_pending = &d.pending;
    map_init(&d.seen);
    address_split(d.to->address, &name, &d.domain);
    if (forward_loops(&d, &err))
        delivery_add(&d, d.to->address,
                     local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 6},
                                   arena_format(r->arena, S("mail forwarding loop"), "mail forwarding loop for %.*s",
                                                S_ARG(d.to->address))));
    else
        alias_expand(&d, name);
    conclude(&d);
    map_done(&d.seen, NULL);
}

static void deliver(struct agent_request *r)
{
    r->times.connected_us = clock_wall_us();
    for (size_t i = 0; i < r->recipient_count; i++)
        deliver_one(r, i);
}

static void client(struct stream *s)
{
    agent_serve(s, deliver);
}

static bool changed(void *arg, struct buf *name)
{
    (void)arg;
    return tables_changed(world.aliases, name);
}

static bool open_all(struct service_run *run, struct err *err)
{
    AUTO_BUF struct buf warning = BUF_INIT(1000);

    world.params = run->params;
    world.service = run->name;
    if (!mailbox_locks_parse(slice_text(run->params->mailbox_delivery_lock), &world.locks))
        return err_set(err, ERR_CONFIG, "mailbox_delivery_lock: unknown lock in \"%s\"",
                       run->params->mailbox_delivery_lock);
    world.spawner = spawner_start(run->rootless, err);
    if (world.spawner == NULL)
        return false;
    world.aliases =
        tables_open(slice_text(run->params->alias_maps), TABLE_FOLD | TABLE_NO_REGSUB | TABLE_TRY_NUL, &warning, err);
    if (world.aliases == NULL)
        return err_note(err, "alias_maps");
    event_warning_lines(buf_slice(&warning));
    world.resolver = address_client_new();
    return true;
}

static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    (void)err;
    service_watch(changed, NULL);
    return true;
}

int main(int argc, char **argv)
{
    static const struct service local = {
        .name = "local",
        .instances = SERVICE_ANY,
        .flags = SERVICE_AGENT | SERVICE_PRIVILEGED,
        .pre_start = open_all,
        .start = start,
        .client = client,
    };

    return service_main(&local, argc, argv);
}
