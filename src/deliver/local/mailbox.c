/* Mailboxes and files: where they are and how they are written. */
#include <stdio.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "deliver/local/local.h"
#include "mail/agent/head.h"
#include "mail/events/events.h"

/* In a spool directory that its group may write, dot locks are made with that group. */
static gid_t spool_group(const char *directory, gid_t own)
{
    struct stat st;

    return stat(directory, &st) == 0 && (st.st_mode & S_IWGRP) != 0 && (st.st_mode & S_IWOTH) == 0 ? st.st_gid : own;
}

static void set_kind(struct mailbox_job *job)
{
    size_t n = strlen(job->path);

    job->kind = n > 0 && job->path[n - 1] == '/' ? MAILBOX_MAILDIR : MAILBOX_FILE;
}

/* $mail_spool_directory/USER, or home_mailbox. */
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
        job->gid = spool_group(spool, u->id.gid);
    }
    if (n <= 0 || (size_t)n >= sizeof job->path || job->path[0] != '/')
        return false;
    set_kind(job);
    return true;
}

static struct mailbox_job *new_job(struct delivery *d, const struct user *u)
{
    struct mailbox_job *job = ARENA_NEW(d->request->arena, struct mailbox_job);
    const struct params *p = world.params;

    if (job == NULL)
        return NULL;
    job->uid = u->id.uid;
    job->gid = u->id.gid;
    job->content_offset = d->request->wire.offset;
    job->locks = world.locks;
    job->lock_attempts = p->deliver_lock_attempts;
    job->lock_delay_us = p->deliver_lock_delay_us;
    job->stale_lock_us = p->stale_lock_time_us;
    job->size_limit = p->mailbox_size_limit;
    job->make_directories = true;
    job->arrival_us = d->request->times.arrival_us;
    (void)snprintf(job->host, sizeof job->host, "%s", p->myhostname);
    return job;
}

static struct outcome write_it(struct delivery *d, const struct origin *o, struct mailbox_job *job)
{
    struct recipient to = *d->to;
    struct mailbox_result result;

    if (o->has_owner)
        to.original = S("");
    if (!agent_head_fill(job, d->request, o->sender, &to, world.mark_files ? o->delivered_to : S("")))
        return local_outcome((struct dsn_code){5, 1, 3}, S("address too long for a mailbox"));
    spawner_deliver(world.spawner, job, d->request->fd, NEVER, &result);
    if (result.warning[0] != '\0')
        event_warning("%s", result.warning);
    if (result.damaged)
        agent_mark_corrupt(d->request);
    return (struct outcome){.kind = result.kind,
                            .dsn = result.dsn,
                            .reason = arena_keep(d->request->arena, slice_text(result.reason), S("delivery failed"))};
}

/* Where the user's mail goes, unless this is a probe, which is told only. */
static struct outcome into_mailbox(struct delivery *d, const struct name *n, const struct user *u)
{
    struct mailbox_job *job = new_job(d, u);
    struct origin o = *n->from;

    if (job == NULL)
        return local_outcome((struct dsn_code){4, 3, 1}, S("out of memory for a delivery"));
    if (!place(u, job)) {
        event_warning("user %s: no usable mailbox path", u->name);
        return local_outcome((struct dsn_code){4, 3, 5}, S("mail system configuration error"));
    }
    if (delivery_is_probe(d))
        return local_outcome((struct dsn_code){2, 0, 0},
                             job->kind == MAILBOX_MAILDIR ? S("delivers to maildir") : S("delivers to mailbox"));
    job->owner_must_match = world.params->strict_mailbox_ownership;
    (void)snprintf(job->complaint, sizeof job->complaint, "cannot update mailbox %s for user %s. ", job->path, u->name);
    if (!world.params->frozen_delivered_to)
        o.delivered_to = n->address;
    return write_it(d, &o, job);
}

void mailbox_put(struct delivery *d, const struct name *n, const struct user *u)
{
    delivery_add(d, n->from, n->address, into_mailbox(d, n, u));
}

static struct outcome into_file(struct delivery *d, const struct origin *o, slice path)
{
    const struct user *u = o->rights != NULL && o->rights->id.uid != 0 ? o->rights : &world.nobody;
    struct mailbox_job *job = new_job(d, u);

    if (job == NULL)
        return local_outcome((struct dsn_code){4, 3, 1}, S("out of memory for a delivery"));
    if (!text_from_slice(path, job->path, sizeof job->path))
        return local_outcome((struct dsn_code){5, 2, 0},
                             arena_format(d->request->arena, S("no usable file name"), "no usable file name: %.*s",
                                          S_ARG(slice_head(path, 200))));
    set_kind(job);
    job->is_file = true;
    (void)snprintf(job->complaint, sizeof job->complaint, "cannot append message to file %s: ", job->path);
    if (delivery_is_probe(d))
        return local_outcome((struct dsn_code){2, 0, 0},
                             arena_format(d->request->arena, S("delivers to file"), "delivers to file: %s", job->path));
    return write_it(d, o, job);
}

void file_put(struct delivery *d, const struct origin *o, slice path)
{
    if (delivery_first_exactly(d, "file", path))
        delivery_add(d, o, o->name->address, into_file(d, o, path));
}
