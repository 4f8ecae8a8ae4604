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
    if (p->has_owner)
        return agent_report_part_to(d->request, &p->recipient, &p->outcome, p->sender);
    return agent_report_part(d->request, &p->recipient, &p->outcome);
}

/* Everything gathered for elsewhere on one behalf becomes one new message. */
static struct outcome forward_outcome(struct delivery *d, const struct forward_group *g)
{
    struct err err;
    slice id;

    if (!forward_post(d, g, &id, &err)) {
        event_warning("%.*s: forward: %s", S_ARG(d->request->wire.queue_id), err.text);
        return local_outcome((struct dsn_code){4, 3, 0}, S("unable to forward message"));
    }
    return local_outcome((struct dsn_code){2, 0, 0},
                         arena_format(d->request->arena, S("forwarded"), "forwarded as %.*s", S_ARG(id)));
}

/* One end and nothing else: the recipient's own line, under that end's address. */
static void conclude_single(struct delivery *d)
{
    if (d->parts->passed || d->parts->has_owner) {
        agent_settle(d->request, d->index, report_part(d, d->parts));
        return;
    }
    d->to->address = d->parts->recipient.address;
    agent_report(d->request, d->index, &d->parts->outcome);
}

/* All but the last message get a line of their own, the last is the recipient's. */
static void conclude_forwards(struct delivery *d)
{
    const struct forward_group *g = d->groups;
    struct outcome forwarded;

    for (; g->next != NULL; g = g->next) {
        forwarded = forward_outcome(d, g);
        if (!agent_report_part(d->request, d->to, &forwarded)) {
            agent_settle(d->request, d->index, false);
            return;
        }
    }
    forwarded = forward_outcome(d, g);
    agent_report(d->request, d->index, &forwarded);
}

/* Everything an alias or a list stood for was a comment, or was seen to already: that is what was asked for. */
static void conclude_nobody(struct delivery *d)
{
    struct outcome nobody = local_outcome((struct dsn_code){2, 0, 0}, S("expands to nobody"));

    agent_report(d->request, d->index, &nobody);
}

static void conclude(struct delivery *d)
{
    bool all_done = true;

    if (d->parts == NULL && d->groups == NULL) {
        conclude_nobody(d);
        return;
    }
    if (d->groups == NULL && d->parts->next == NULL) {
        conclude_single(d);
        return;
    }
    for (const struct part *p = d->parts; p != NULL; p = p->next)
        if (!report_part(d, p))
            all_done = false;
    if (d->groups != NULL && all_done)
        conclude_forwards(d);
    else /* forwarded when the rest goes through: nobody gets it twice */
        agent_settle(d->request, d->index, all_done);
}

static void deliver_one(struct agent_request *r, size_t i)
{
    struct delivery d = {.request = r, .index = i, .to = &r->recipients[i]};

    d.last_part = &d.parts;
    d.last_group = &d.groups;
    d.last_name = &d.names;
    map_init(&d.seen);
    map_init(&d.delivered);
    forward_read_marks(&d);
    expand_recipient(&d);
    conclude(&d);
    map_done(&d.seen, NULL);
    map_done(&d.delivered, NULL);
}

static void deliver(struct agent_request *r)
{
    r->filter = world.filter;
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
    return tables_changed(world.aliases, name) || tables_changed(world.mailbox_commands, name) ||
           tables_changed(world.mailbox_transports, name) || tables_changed(world.fallback_transports, name) ||
           agent_filter_changed(world.filter, name);
}

static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    service_watch(changed, NULL);
    return spawner_watch(world.spawner, service_drain, err);
}

int main(int argc, char **argv)
{
    static const struct service local = {
        .name = "local",
        .instances = SERVICE_ANY,
        .flags = SERVICE_AGENT | SERVICE_PRIVILEGED,
        .needs = {.may = SANDBOX_NAMES | SANDBOX_SERVICES, .updates = "active"},
        .pre_start = world_open,
        .start = start,
        .client = client,
    };

    return service_main(&local, argc, argv);
}
