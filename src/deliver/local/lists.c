/* Lists that people write: ~/.forward and :include: files. */
#include <stdio.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "deliver/local/local.h"
#include "mail/events/events.h"

static const struct dsn_code misconfigured = {5, 3, 5}, not_now = {4, 3, 0};

/* TEXT's lines without those that are comments. */
static slice without_comments(struct delivery *d, slice text)
{
    AUTO_BUF struct buf kept = BUF_INIT(USER_FILE_BYTES_MOST + 1);
    slice line;

    while (cut_field(&text, '\n', &line))
        if (line.n > 0 && line.p[0] != '#') {
            (void)buf_add(&kept, line);
            (void)buf_add_char(&kept, '\n');
        }
    return arena_keep(d->request->arena, buf_slice(&kept), S(""));
}

static struct origin *new_origin(struct delivery *d, const struct origin *from)
{
    struct origin *o = ARENA_NEW(d->request->arena, struct origin);

    if (o != NULL)
        *o = *from;
    return o;
}

/* ---- .forward ---- */

struct forward_paths {
    struct user_file_job job;
    bool uses_extension[USER_FILE_PATHS];
};

/* The expansions of one member of forward_path: with the extension if there is one. */
static bool add_path(struct forward_paths *f, const struct name *n, const struct user *u, const char *member)
{
    AUTO_BUF struct buf with = BUF_INIT(USER_FILE_PATH_MOST), without = BUF_INIT(USER_FILE_PATH_MOST);
    const char *filter = world.params->forward_expansion_filter;
    struct user_file_job *job = &f->job;
    struct name bare = *n;

    bare.local = n->base;
    bare.extension = S("");
    if (!macros_expand(n, u, "forward_path", member, filter, &with) ||
        !macros_expand(&bare, u, "forward_path", member, filter, &without))
        return false;
    for (uint32_t i = 0; i < job->path_count; i++)
        if (slice_eq(slice_text(job->paths[i]), buf_slice(&with)))
            return true;
    if (job->path_count == USER_FILE_PATHS)
        return true;
    if (buf_text(&with)[0] != '/' ||
        !text_from_slice(buf_slice(&with), job->paths[job->path_count], USER_FILE_PATH_MOST)) {
        event_warning("forward_path: \"%s\" is no usable path for user %s", buf_text(&with), u->name);
        return true;
    }
    f->uses_extension[job->path_count] = !slice_eq(buf_slice(&with), buf_slice(&without));
    job->path_count++;
    return true;
}

static bool fill_paths(struct delivery *d, struct forward_paths *f, const struct name *n, const struct user *u)
{
    slice list = slice_text(world.params->forward_path), member;
    struct err err;
    bool braced;

    f->job.kind = USER_FILE_FORWARD;
    f->job.owner = u->id.uid;
    if (world.params->require_home_directory)
        (void)snprintf(f->job.home, sizeof f->job.home, "%s", u->home);
    while (conf_next_item(&list, ", \t\r\n", &member, &braced, &err) == CONF_ITEM) {
        const char *text = arena_text(d->request->arena, member);

        if (text == NULL || !add_path(f, n, u, text))
            return false;
    }
    return true;
}

/* False: it names nobody, and the mail goes to the mailbox. */
static bool follow(struct delivery *d, const struct name *n, const struct user *u, slice text, bool used_extension)
{
    struct origin *o = new_origin(d, n->from);

    if (o == NULL) {
        delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 1}, S("alias list too long"));
        return true;
    }
    o->context = CONTEXT_FORWARD;
    o->name = n;
    o->self = n->base;
    o->depth = n->depth;
    o->rights = u;
    o->only = n->base;
    o->delivered_to = world.params->frozen_delivered_to ? n->from->delivered_to : n->address;
    o->unmatched = used_extension ? S("") : slice_skip(n->local, n->base.n);
    text = without_comments(d, text);
    if (slice_trim(text).n > 0)
        delivery_expanded(d, o);
    return expand_text(d, o, text) > 0;
}

bool forward_file_expand(struct delivery *d, const struct name *n, const struct user *u)
{
    AUTO_BUF struct buf content = BUF_INIT(USER_FILE_BYTES_MOST);
    struct forward_paths *f = ARENA_NEW(d->request->arena, struct forward_paths);
    struct user_file_result found;

    if (f == NULL || !fill_paths(d, f, n, u)) {
        delivery_refuse(d, n->from, n->address, (struct dsn_code){4, 3, 5}, S("mail system configuration error"));
        return true;
    }
    spawner_read(world.spawner, u->id, &f->job, NEVER, &found, &content);
    if (found.trouble[0] != '\0' && found.got != USER_FILE_NO_HOME)
        event_warning("%s", found.trouble);
    switch (found.got) {
    case USER_FILE_FOUND:
        return follow(d, n, u, buf_slice(&content), found.index < USER_FILE_PATHS && f->uses_extension[found.index]);
    case USER_FILE_NO_HOME:
        delivery_refuse(d, n->from, n->address, not_now,
                        arena_keep(d->request->arena, slice_text(found.trouble), S("no home")));
        return true;
    case USER_FILE_FAILED:
        delivery_refuse(d, n->from, n->address, not_now, S("cannot read the .forward file"));
        return true;
    default:
        return false;
    }
}

/* ---- :include: ---- */

static const struct user root = {.name = "root", .home = "/", .shell = "/bin/sh", .id = {0, 0}};

/* In a list of a user, his own rights; else those of the file's owner.  Without root we have but our own, and they are
 * not for what somebody else wrote. */
static bool set_rights(struct delivery *d, uid_t owner, slice path, struct origin *o)
{
    if (o->rights != NULL || owner == 0 || (world.rootless && owner == world.nobody.id.uid))
        return true;
    if (!world.rootless && user_find_id(d->request->arena, owner, &o->rights) == USER_FOUND)
        return true;
    event_warning(":include: file %.*s is owned by user %ld, with whose rights nothing can be done", S_ARG(path),
                  (long)owner);
    return false;
}

static void refuse(struct delivery *d, const struct origin *o, struct dsn_code dsn, const char *why)
{
    delivery_refuse(d, o, o->name->address, dsn, slice_text(why));
}

void include_expand(struct delivery *d, const struct origin *from, slice path)
{
    AUTO_BUF struct buf content = BUF_INIT(USER_FILE_BYTES_MOST);
    struct user_file_job *job = ARENA_NEW(d->request->arena, struct user_file_job);
    struct origin *o = new_origin(d, from);
    const struct user *reader = from->rights != NULL ? from->rights : &root;
    struct user_file_result found;

    if (path.n == 0 || path.p[0] != '/' || job == NULL || o == NULL ||
        !text_from_slice(path, job->paths[0], USER_FILE_PATH_MOST)) {
        event_warning(":include: needs the absolute path of a file, not \"%.*s\"", S_ARG(path));
        refuse(d, from, misconfigured, "mail system configuration error");
        return;
    }
    if (!delivery_first_exactly(d, "list", path))
        return;
    job->kind = USER_FILE_INCLUDE;
    job->path_count = 1;
    spawner_read(world.spawner, world.rootless ? world.nobody.id : reader->id, job, NEVER, &found, &content);
    if (found.trouble[0] != '\0')
        event_warning("%s", found.trouble);
    o->context = CONTEXT_INCLUDE;
    o->listed = true;
    if (found.got == USER_FILE_FAILED || (found.got == USER_FILE_FOUND && !set_rights(d, found.owner, path, o)))
        refuse(d, from, not_now, "cannot read an :include: file");
    else if (found.got != USER_FILE_FOUND)
        refuse(d, from, misconfigured, "mail system configuration error");
    else if (expand_text(d, o, without_comments(d, buf_slice(&content))) == 0)
        event_warning(":include: file %.*s names nobody", S_ARG(path));
}
