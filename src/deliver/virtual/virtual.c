/* virtual(8): delivers to the mailboxes of hosted domains. */
#include <stdio.h>
#include <time.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/agent/agent.h"
#include "mail/agent/filter.h"
#include "mail/agent/head.h"
#include "mail/agent/spawner.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"
#include "mail/table/table.h"

static struct params *params;
static struct tables *mailboxes, *uids, *gids;
static struct agent_filter *filter;
static struct spawner *spawner;
static unsigned locks;

static struct outcome outcome_text(struct agent_request *r, enum outcome_kind kind, struct dsn_code dsn, slice reason)
{
    (void)r;
    return (struct outcome){.kind = kind, .dsn = dsn, .reason = reason, .relay = S("virtual")};
}

static struct outcome misconfigured(struct agent_request *r, slice address, const char *what)
{
    event_warning("recipient %.*s: %s", S_ARG(address), what);
    return outcome_text(r, OUTCOME_DEFERRED, (struct dsn_code){4, 3, 5}, S("mail system configuration error"));
}

/* A row by full address, then @domain, with the extension taken off on the way (virtual(8)). */
static enum table_got find(struct tables *t, slice address, deadline by, struct buf *value, struct err *err)
{
    const struct address_lookup how = {.delimiters = slice_text(params->recipient_delimiter)};

    return tables_get_address(t, address, ADDRESS_FULL | ADDRESS_DOMAIN, &how, by, value, err);
}

/* The numeric id of a recipient.  False: *O tells. */
static bool find_id(struct agent_request *r, struct tables *t, const char *name, slice address, uint32_t *id,
                    struct outcome *o)
{
    AUTO_BUF struct buf value = BUF_INIT(1000);
    struct err err;
    int64_t number;

    switch (find(t, address, r->by, &value, &err)) {
    case TABLE_FAILED:
        event_warning("%s: %s", name, err.text);
        *o = outcome_text(r, OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("temporary lookup failure"));
        return false;
    case TABLE_NOT_FOUND:
        event_warning("recipient %.*s: not found in %s", S_ARG(address), name);
        *o = misconfigured(r, address, "no such user or group id");
        return false;
    default:
        break;
    }
    if (!slice_to_i64(slice_trim(buf_slice(&value)), &number) || number < 0 || number > UINT32_MAX) {
        *o = misconfigured(r, address, "user or group id is no number");
        return false;
    }
    *id = (uint32_t)number;
    return true;
}

static void fill_path(struct mailbox_job *job, slice value, struct outcome *o, struct agent_request *r, bool *good)
{
    const char *base = params->virtual_mailbox_base;
    int n = snprintf(job->path, sizeof job->path, "%s%s%.*s", base, base[0] != '\0' && value.p[0] != '/' ? "/" : "",
                     S_ARG(value));

    *good = n > 0 && (size_t)n < sizeof job->path && job->path[0] == '/' && !slice_has_nul(value) &&
            slice_find_slice(slice_text(job->path), S("/../")) == SLICE_NONE;
    if (!*good) {
        *o = misconfigured(r, value, "not a usable mailbox path");
        return;
    }
    job->kind = job->path[n - 1] == '/' ? MAILBOX_MAILDIR : MAILBOX_FILE;
}

/* virtual_mailbox_default with the local part in it.  False: the local part cannot name a file. */
static bool default_mailbox(slice address, struct buf *value)
{
    slice pattern = slice_text(params->virtual_mailbox_default), local, domain;

    address_split(address, &local, &domain);
    if (local.n == 0 || local.n > 200 || local.p[0] == '.' || slice_find(local, '/') != SLICE_NONE)
        return false;
    for (size_t i = 0; i < local.n; i++)
        if ((unsigned char)local.p[i] < ' ' || local.p[i] == 127)
            return false;
    for (size_t i = 0; i < pattern.n; i++) {
        bool insert = pattern.p[i] == '%' && i + 1 < pattern.n && pattern.p[i + 1] == 'u';

        for (size_t k = 0; insert && k < local.n; k++)
            (void)buf_add_char(value, ascii_lower(local.p[k]));
        if (insert)
            i++;
        else
            (void)buf_add_char(value, pattern.p[i]);
    }
    return value->n > 0 && !value->overflow;
}

static enum table_got find_mailbox(slice address, deadline by, struct buf *value, struct err *err)
{
    if (tables_empty(mailboxes))
        return default_mailbox(address, value) ? TABLE_FOUND : TABLE_NOT_FOUND;
    return find(mailboxes, address, by, value, err);
}

/* False: *O is the outcome already. */
static bool prepare(struct agent_request *r, size_t i, struct mailbox_job *job, struct outcome *o)
{
    const struct recipient *to = &r->recipients[i];
    AUTO_BUF struct buf value = BUF_INIT(4096);
    struct err err;
    uint32_t uid, gid;
    bool good;

    switch (find_mailbox(to->address, r->by, &value, &err)) {
    case TABLE_FAILED:
        event_warning("virtual_mailbox_maps: %s", err.text);
        *o = outcome_text(r, OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("temporary lookup failure"));
        return false;
    case TABLE_NOT_FOUND:
        *o = outcome_text(r, OUTCOME_BOUNCED, (struct dsn_code){5, 1, 1},
                          arena_format(r->arena, S("unknown user"), "unknown user: \"%.*s\"", S_ARG(to->address)));
        return false;
    default:
        break;
    }
    if (!find_id(r, uids, "virtual_uid_maps", to->address, &uid, o) ||
        !find_id(r, gids, "virtual_gid_maps", to->address, &gid, o))
        return false;
    if (uid < (uint32_t)params->virtual_minimum_uid) {
        *o = misconfigured(r, to->address, "user id below virtual_minimum_uid");
        return false;
    }
    job->uid = uid;
    job->gid = gid;
    fill_path(job, buf_slice(&value), o, r, &good);
    return good;
}

static void fill_limits(struct mailbox_job *job, const struct agent_request *r)
{
    job->content_offset = r->wire.offset;
    job->locks = locks;
    job->lock_attempts = params->deliver_lock_attempts;
    job->lock_delay_us = params->deliver_lock_delay_us;
    job->stale_lock_us = params->stale_lock_time_us;
    job->size_limit = params->virtual_mailbox_limit;
    job->owner_must_match = params->strict_mailbox_ownership;
    job->make_directories = true;
    job->arrival_us = r->times.arrival_us;
    (void)snprintf(job->host, sizeof job->host, "%s", params->myhostname);
}

static void deliver_one(struct agent_request *r, size_t i)
{
    struct mailbox_job *job = ARENA_NEW(r->arena, struct mailbox_job);
    struct mailbox_result result;
    struct outcome o;

    if (job == NULL)
        return; /* the frame defers it */
    if (prepare(r, i, job, &o)) {
        fill_limits(job, r);
        job->patient = true;
        (void)snprintf(job->complaint, sizeof job->complaint, "delivery failed to mailbox %s: ", job->path);
        if (!agent_head_fill(job, r, r->wire.sender, &r->recipients[i], r->recipients[i].address))
            o = outcome_text(r, OUTCOME_BOUNCED, (struct dsn_code){5, 1, 3}, S("address too long for a mailbox"));
        else if ((r->wire.flags & (DELIVERY_MTA_PROBE | DELIVERY_USER_PROBE)) != 0) {
            o = outcome_text(r, OUTCOME_DELIVERED, (struct dsn_code){2, 0, 0},
                             job->kind == MAILBOX_MAILDIR ? S("delivers to maildir") : S("delivers to mailbox"));
        } else {
            spawner_deliver(spawner, job, r->fd, NEVER, &result);
            if (result.warning[0] != '\0')
                event_warning("%s", result.warning);
            if (result.damaged)
                agent_mark_corrupt(r);
            o = outcome_text(r, result.kind, result.dsn,
                             arena_keep(r->arena, slice_text(result.reason), S("delivery failed")));
        }
    }
    agent_report(r, i, &o);
}

static void deliver(struct agent_request *r)
{
    r->filter = filter;
    r->times.connected_us = clock_wall_us();
    for (size_t i = 0; i < r->recipient_count; i++)
        deliver_one(r, i);
}

static void client(struct stream *s)
{
    agent_serve(s, deliver);
}

static bool open_tables(const char *name, const char *list, struct tables **out, struct err *err)
{
    AUTO_BUF struct buf warning = BUF_INIT(1000);

    *out = tables_open(slice_text(list), TABLE_FOLD | TABLE_NO_REGSUB, &warning, err);
    event_warning_lines(buf_slice(&warning));
    return *out != NULL || err_note(err, "%s", name);
}

static bool changed(void *arg, struct buf *name)
{
    (void)arg;
    return tables_changed(mailboxes, name) || tables_changed(uids, name) || tables_changed(gids, name) ||
           agent_filter_changed(filter, name);
}

static bool open_all(struct service_run *run, struct err *err)
{
    params = run->params;
    if (!mailbox_locks_parse(slice_text(params->virtual_mailbox_lock), &locks))
        return err_set(err, ERR_CONFIG, "virtual_mailbox_lock: unknown lock in \"%s\"", params->virtual_mailbox_lock);
    filter = agent_filter_open("virtual_delivery_status_filter", params->virtual_delivery_status_filter, err);
    spawner = spawner_start(run->rootless, err);
    return filter != NULL && spawner != NULL && open_tables("virtual_mailbox_maps", params->virtual_mailbox_maps, &mailboxes, err) &&
           open_tables("virtual_uid_maps", params->virtual_uid_maps, &uids, err) &&
           open_tables("virtual_gid_maps", params->virtual_gid_maps, &gids, err);
}

static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    service_watch(changed, NULL);
    return spawner_watch(spawner, service_drain, err);
}

int main(int argc, char **argv)
{
    static const struct service virtual = {
        .name = "virtual",
        .instances = SERVICE_ANY,
        .flags = SERVICE_AGENT | SERVICE_PRIVILEGED,
        .needs = {.may = SANDBOX_NAMES | SANDBOX_SERVICES, .updates = "active"},
        .pre_start = open_all,
        .start = start,
        .client = client,
    };

    return service_main(&virtual, argc, argv);
}
