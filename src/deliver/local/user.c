#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "core/run/pool.h"
#include "deliver/local/local.h"
#include "mail/agent/head.h"
#include "mail/events/events.h"

enum { NAME_MOST = 256, PASSWD_BYTES = 16 * 1024 };

/* ---- who is it: the password file may be LDAP, so it is asked on a helper thread ---- */
struct user {
    char name[NAME_MOST];
    int error;
    bool found;
    uid_t uid;
    gid_t gid;
    char home[MAILBOX_PATH_MOST];
};

static void look_up(void *arg)
{
    struct user *u = arg;
    char *memory = malloc(PASSWD_BYTES);
    struct passwd entry, *found = NULL;

    if (memory == NULL) {
        u->error = ENOMEM;
        return;
    }
    u->error = getpwnam_r(u->name, &entry, memory, PASSWD_BYTES, &found);
    if (u->error == ENOENT || u->error == ESRCH)
        u->error = 0; /* what NSS says for "no such user" */
    if (u->error == 0 && found != NULL) {
        u->found = true;
        u->uid = entry.pw_uid;
        u->gid = entry.pw_gid;
        (void)snprintf(u->home, sizeof u->home, "%s", entry.pw_dir);
    }
    free(memory);
}

static bool name_from(slice name, char to[NAME_MOST])
{
    if (name.n == 0 || !text_from_slice(name, to, NAME_MOST) || slice_find(name, '/') != SLICE_NONE)
        return false;
    for (char *c = to; *c != '\0'; c++)
        *c = ascii_lower(*c);
    return true;
}

/* ---- where: $mail_spool_directory/USER, or home_mailbox ---- */

/* In a spool directory that its group may write, dot locks are made with that group. */
static gid_t spool_group(const char *directory, gid_t own)
{
    struct stat st;

    return stat(directory, &st) == 0 && (st.st_mode & S_IWGRP) != 0 && (st.st_mode & S_IWOTH) == 0 ? st.st_gid : own;
}

static bool place(const struct user *u, struct mailbox_job *job)
{
    const char *home_mailbox = world.params->home_mailbox, *spool = world.params->mail_spool_directory;
    size_t spool_bytes = strlen(spool);
    int n;

    if (home_mailbox[0] != '\0') {
        n = snprintf(job->path, sizeof job->path, "%s/%s", u->home, home_mailbox);
    } else if (spool_bytes > 0 && spool[spool_bytes - 1] == '/') {
        n = snprintf(job->path, sizeof job->path, "%s%s/", spool, u->name); /* Maildirs in the spool */
    } else {
        n = snprintf(job->path, sizeof job->path, "%s/%s", spool, u->name);
        job->gid = spool_group(spool, u->gid);
    }
    if (n <= 0 || (size_t)n >= sizeof job->path || job->path[0] != '/')
        return false;
    job->kind = job->path[n - 1] == '/' ? MAILBOX_MAILDIR : MAILBOX_FILE;
    return true;
}

static void fill(const struct user *u, struct mailbox_job *job, const struct agent_request *r)
{
    const struct params *p = world.params;

    job->uid = u->uid;
    job->gid = u->gid;
    job->content_offset = r->wire.offset;
    job->locks = world.locks;
    job->lock_attempts = p->deliver_lock_attempts;
    job->lock_delay_us = p->deliver_lock_delay_us;
    job->stale_lock_us = p->stale_lock_time_us;
    job->size_limit = p->mailbox_size_limit;
    job->owner_must_match = p->strict_mailbox_ownership;
    job->make_directories = true;
    job->arrival_us = r->times.arrival_us;
    (void)snprintf(job->host, sizeof job->host, "%s", p->myhostname);
}

static struct outcome to_mailbox(struct delivery *d, const struct user *u)
{
    struct mailbox_job *job = ARENA_NEW(d->request->arena, struct mailbox_job);
    struct mailbox_result result;

    if (job == NULL)
        return local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 1}, S("out of memory for a delivery"));
    fill(u, job, d->request);
    if (!place(u, job)) {
        event_warning("user %s: no usable mailbox path", u->name);
        return local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 5}, S("mail system configuration error"));
    }
    (void)snprintf(job->complaint, sizeof job->complaint, "cannot update mailbox %s for user %s. ", job->path, u->name);
    if (!agent_head_fill(job, d->request, d->to))
        return local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 1, 3}, S("address too long for a mailbox"));
    if ((d->request->wire.flags & (DELIVERY_MTA_PROBE | DELIVERY_USER_PROBE)) != 0)
        return local_outcome(OUTCOME_DELIVERED, (struct dsn_code){2, 0, 0},
                             job->kind == MAILBOX_MAILDIR ? S("delivers to maildir") : S("delivers to mailbox"));
    spawner_deliver(world.spawner, job, d->request->fd, NEVER, &result);
    if (result.warning[0] != '\0')
        event_warning("%s", result.warning);
    return local_outcome(result.kind, result.dsn,
                         arena_keep(d->request->arena, slice_text(result.reason), S("delivery failed")));
}

/* ---- other ends ---- */

/* Every mail system must take mail for these; without an alias or user it is thrown away, and said so. */
static bool is_required(const char *name)
{
    return slice_eq(slice_text(name), S("postmaster")) || slice_eq(slice_text(name), S("mailer-daemon"));
}

static struct outcome nobody(struct delivery *d, const char *name)
{
    if (is_required(name)) {
        event_warning("required alias not found: %s", name);
        return local_outcome(OUTCOME_DELIVERED, (struct dsn_code){2, 0, 0}, S("discarded"));
    }
    return local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 1, 1},
                         arena_format(d->request->arena, S("unknown user"), "unknown user: \"%s\"", name));
}

static bool passed_on(struct delivery *d, slice address, const char *transport, struct outcome *o, bool *passed)
{
    slice spec = slice_text(transport), name;
    struct recipient one = *d->to;
    struct err err;

    if (spec.n == 0)
        return false;
    if (!(slice_find(spec, ':') != SLICE_NONE)) {
        name = spec;
        spec = S("");
    } else {
        size_t colon = slice_find(spec, ':');

        name = slice_head(spec, colon);
        spec = slice_skip(spec, colon + 1);
    }
    one.address = address;
    *passed = agent_pass(d->request, &one, name, spec.n > 0 ? spec : d->domain, o, &err);
    if (*passed)
        return true;
    event_warning("%.*s: pass to %s: %s", S_ARG(d->request->wire.queue_id), transport, err.text);
    *o = local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("mail transport unavailable"));
    return true;
}

static struct outcome deliver(struct delivery *d, struct user *u, slice address, bool *passed)
{
    struct outcome o;

    if (passed_on(d, address, world.params->mailbox_transport, &o, passed))
        return o;
    pool_run(look_up, u);
    if (u->error != 0) {
        event_warning("look up user %s: %s", u->name, strerror(u->error));
        return local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("user database unavailable"));
    }
    if (!u->found)
        return passed_on(d, address, world.params->fallback_transport, &o, passed) ? o : nobody(d, u->name);
    if (world.params->mailbox_command[0] != '\0') {
        event_warning("mailbox_command: delivery to commands is not available here");
        return local_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 5}, S("mail system configuration error"));
    }
    return to_mailbox(d, u);
}

void user_deliver(struct delivery *d, slice shown_local, slice name)
{
    struct user *u = ARENA_NEW(d->request->arena, struct user);
    slice address = d->to->address;
    bool passed = false;
    struct outcome o;
    AUTO_BUF struct buf key = BUF_INIT(400);
    static char mark;

    if (d->through_alias)
        address = arena_format(d->request->arena, name, d->domain.n > 0 ? "%.*s@%.*s" : "%.*s", S_ARG(shown_local),
                               S_ARG(d->domain));
    if (u == NULL || !name_from(name, u->name)) {
        delivery_add(
            d, address,
            local_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 1, 1},
                          arena_format(d->request->arena, S("unknown user"), "unknown user: \"%.*s\"", S_ARG(name))));
        return;
    }
    (void)buf_addf(&key, "user %s", u->name);
    if (map_set(&d->seen, buf_slice(&key), &mark) != NULL)
        return; /* one copy per user and request */
    o = deliver(d, u, address, &passed);
    if (passed)
        delivery_passed(d, address, o);
    else
        delivery_add(d, address, o);
}
