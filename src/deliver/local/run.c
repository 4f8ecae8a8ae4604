/* Commands: what they are started with, and as whom. */
#include <stdio.h>

#include "core/base/file.h"
#include "deliver/local/local.h"
#include "mail/agent/head.h"
#include "mail/events/events.h"

enum { VALUE_MOST = 32 * 1024 };

/* A command of root's is nobody's in particular. */
static const struct user *runner(const struct user *u)
{
    return u == NULL || u->id.uid == 0 ? &world.nobody : u;
}

/* ---- environment ---- */

static bool add(struct command_job *job, const char *name, slice value)
{
    AUTO_BUF struct buf pair = BUF_INIT(VALUE_MOST);

    (void)buf_addf(&pair, "%s=", name);
    macros_filter(value, world.params->command_expansion_filter, &pair);
    return !pair.overflow && command_add(&job->texts, buf_slice(&pair));
}

static bool add_some(struct command_job *job, const char *name, slice value)
{
    return value.n == 0 || add(job, name, value);
}

static bool add_client(struct command_job *job, const struct delivery_request *w)
{
    return add_some(job, "CLIENT_HOSTNAME", w->log_client_name) &&
           add_some(job, "CLIENT_ADDRESS", w->log_client_address) && add_some(job, "CLIENT_HELO", w->log_helo_name) &&
           add_some(job, "CLIENT_PROTOCOL", w->log_protocol_name) && add_some(job, "SASL_METHOD", w->sasl_method) &&
           add_some(job, "SASL_USERNAME", w->sasl_username) && add_some(job, "SASL_SENDER", w->sasl_sender);
}

static bool fill_environment(struct delivery *d, const struct origin *o, const struct name *n, const struct user *u,
                             struct command_job *job)
{
    AUTO_BUF struct buf user = BUF_INIT(VALUE_MOST);
    slice original = o->has_owner ? S("") : d->to->original;

    (void)table_fold(n->base, &user);
    return command_export_environment(&job->texts, slice_text(world.params->export_environment)) &&
           (u == NULL ||
            (add_some(job, "HOME", slice_text(u->home)) && add_some(job, "SHELL", slice_text(u->shell)))) &&
           add(job, "USER", buf_slice(&user)) && add(job, "LOGNAME", buf_slice(&user)) && add(job, "LOCAL", n->local) &&
           add_some(job, "EXTENSION", n->extension) && add_some(job, "DOMAIN", n->domain) &&
           add(job, "RECIPIENT", n->address) && add(job, "SENDER", o->sender) &&
           add_some(job, "ORIGINAL_RECIPIENT", original) && add_client(job, &d->request->wire);
}

/* ---- the job ---- */

static bool fill_head(struct delivery *d, const struct origin *o, struct command_job *job)
{
    AUTO_BUF struct buf head = BUF_INIT(sizeof job->head - 1);
    struct recipient to = *d->to;

    if (o->has_owner)
        to.original = S("");
    if (!agent_from_line(d->request, o->sender, &head) || !buf_add_char(&head, '\n') ||
        !agent_head(o->sender, &to, world.mark_commands ? o->delivered_to : S(""), &head))
        return false;
    return text_from_slice(buf_slice(&head), job->head, sizeof job->head);
}

static bool fill_directory(const struct name *n, const struct user *u, struct command_job *job)
{
    AUTO_BUF struct buf directory = BUF_INIT(sizeof job->directory - 1);
    const struct params *p = world.params;

    return macros_expand(n, u, "command_execution_directory", p->command_execution_directory,
                         p->execution_directory_expansion_filter, &directory) &&
           text_from_slice(buf_slice(&directory), job->directory, sizeof job->directory);
}

static struct outcome run(struct delivery *d, const struct origin *o, const struct name *n, const struct user *u,
                          slice command)
{
    struct command_job *job = ARENA_NEW(d->request->arena, struct command_job);
    struct command_result *result = ARENA_NEW(d->request->arena, struct command_result);

    if (job == NULL || result == NULL)
        return local_outcome((struct dsn_code){4, 3, 1}, S("out of memory for a delivery"));
    job->content_offset = d->request->wire.offset;
    job->time_limit_us = world.params->command_time_limit_us;
    job->file_limit = world.params->mailbox_size_limit;
    if (!command_set_line(job, command, slice_text(world.params->local_command_shell)) ||
        !fill_environment(d, o, n, u, job) || !fill_head(d, o, job))
        return local_outcome((struct dsn_code){5, 3, 0}, S("command or addresses too long"));
    if (!fill_directory(n, u, job))
        return local_outcome((struct dsn_code){4, 3, 5}, S("mail system configuration error"));
    spawner_command(world.spawner, runner(u)->id, job, d->request->fd, NEVER, result);
    if (result->trouble[0] != '\0')
        event_warning("%s", result->trouble);
    if (result->damaged)
        agent_mark_corrupt(d->request);
    return command_outcome(result, command, d->request->arena);
}

void command_deliver(struct delivery *d, const struct origin *from, const struct name *n, const struct user *u,
                     slice command)
{
    AUTO_BUF struct buf key = BUF_INIT(128 * 1024);
    struct origin o = *from;

    (void)table_fold(n->base, &key);
    (void)buf_addf(&key, " %.*s", S_ARG(command));
    if (!key.overflow && !delivery_first_exactly(d, "command", buf_slice(&key)))
        return;
    if (!world.params->frozen_delivered_to)
        o.delivered_to = n->address;
    if (delivery_is_probe(d))
        delivery_refuse(
            d, &o, n->address, (struct dsn_code){2, 0, 0},
            arena_format(d->request->arena, S("delivers to command"), "delivers to command: %.*s", S_ARG(command)));
    else
        delivery_add(d, &o, n->address, run(d, &o, n, u, command));
}
