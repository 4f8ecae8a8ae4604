#include "report/verify/store.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/map.h"
#include "mail/proto/proxymap.h"
#include "mail/service/connect.h"

enum { FILE_MODE = 0600, PATH_MOST = 4096, ANSWER_BYTES = 1 << 20 };

struct store {
    char *name;
    struct err problem;          /* why it cannot be used */
    struct table_writer *file;   /* one of these three */
    struct link_pool *proxy;
    struct map memory;           /* to text, owned */
    struct map_entry *at;        /* the walk through memory: what comes next */
};

/* ---- opening ---- */
static slice folder_of(slice path)
{
    size_t slash = slice_find_last(path, '/');

    return slash == SLICE_NONE ? S(".") : slice_head(path, slash == 0 ? 1 : slash);
}

/* Where there is none, opening says so. */
static bool is_own_folder(const struct service_run *run, slice folder)
{
    AUTO_BUF struct buf text = BUF_INIT(PATH_MOST);
    struct stat st;

    (void)buf_add(&text, folder);
    return stat(buf_text(&text), &st) != 0 || st.st_uid == run->mail_uid;
}

/* Files of ours do not lie among those of others: a migration aid, as the documentation calls it. */
static void redirect(const struct service_run *run, slice given, struct buf *name, struct buf *warnings)
{
    slice type = slice_head(buf_slice(name), slice_find(buf_slice(name), ':')), path = slice_skip(buf_slice(name), type.n + 1);
    size_t slash = slice_find_last(path, '/');
    AUTO_BUF struct buf moved = BUF_INIT(PATH_MOST);

    if (is_own_folder(run, folder_of(path)))
        return;
    (void)buf_addf(warnings, "request to update table %.*s in non-postfix directory %.*s\n", S_ARG(given),
                   S_ARG(folder_of(path)));
    (void)buf_addf(warnings, "redirecting the request to postfix-owned data_directory %s\n", run->params->data_directory);
    (void)buf_addf(&moved, "%.*s:%s/%.*s", S_ARG(type), run->params->data_directory,
                   S_ARG(slash == SLICE_NONE ? path : slice_skip(path, slash + 1)));
    buf_clear(name);
    (void)buf_add(name, buf_slice(&moved));
}

static void open_file(struct store *s, const struct service_run *run, struct buf *warnings)
{
    static const struct table_write_options how = {.flags = TABLE_WRITE_SHARED, .mode = FILE_MODE};
    bool as_owner = !run->rootless && geteuid() == 0;
    struct err err;

    if (as_owner && (setegid(run->mail_gid) != 0 || seteuid(run->mail_uid) != 0))
        (void)err_sys(&err, "become the mail owner");
    else
        s->file = table_writer_open_as(slice_text(s->name), &how, &err);
    if (as_owner && (seteuid(0) != 0 || setegid(0) != 0))
        bug("cannot become root again");
    if (s->file != NULL)
        return;
    s->problem = err;
    (void)buf_addf(warnings, "error: %s\n", err.text);
}

struct store *store_open(const struct service_run *run, slice given, struct buf *warnings)
{
    AUTO_BUF struct buf name = BUF_INIT(PATH_MOST);
    struct store *s = xcalloc(1, sizeof *s);
    bool is_proxy = slice_starts(given, S("proxy:"));

    map_init(&s->memory);
    if (given.n > 0 && slice_find(given, ':') == SLICE_NONE)
        (void)buf_addf(&name, "%s:", run->params->default_database_type);
    (void)buf_add(&name, given.n > 0 ? given : S("internal:verify"));
    if (table_can_write(slice_head(buf_slice(&name), slice_find(buf_slice(&name), ':'))))
        redirect(run, given, &name, warnings);
    s->name = xstrndup(buf_text(&name), name.n);
    if (is_proxy)
        s->proxy = link_pool_new("private", run->params->proxywrite_service_name, PROXYMAP_PROTOCOL);
    else if (given.n > 0)
        open_file(s, run, warnings);
    return s;
}

void store_close(struct store *s)
{
    struct err ignored;

    if (s->file != NULL && !table_writer_close(s->file, &ignored))
        s->file = NULL; /* freed all the same; each change was written at once */
    link_pool_free(s->proxy);
    map_done(&s->memory, free);
    free(s->name);
    free(s);
}

const char *store_name(const struct store *s)
{
    return s->name;
}

static bool is_usable(const struct store *s, struct err *err)
{
    return s->problem.kind == ERR_NONE || err_set(err, s->problem.kind, "%s is unavailable. %s", s->name, s->problem.text);
}

/* ---- behind proxymap ---- */
static slice proxied_name(const struct store *s)
{
    return slice_skip(slice_text(s->name), strlen("proxy:"));
}

static enum table_got proxy_result(const struct store *s, int64_t status, struct err *err)
{
    if (status == PROXY_OK)
        return TABLE_FOUND;
    if (status == PROXY_NO_KEY)
        return TABLE_NOT_FOUND;
    (void)err_set(err, ERR_REFUSED, "%s: proxymap status %lld", s->name, (long long)status);
    return TABLE_FAILED;
}

static enum table_got proxy_get(struct store *s, slice key, deadline by, struct buf *value, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(ANSWER_BYTES);
    const struct proxy_lookup ask = {S("lookup"), proxied_name(s), 0, key};
    struct proxy_lookup_answer answer;

    if (!link_call(s->proxy, &proxy_lookup_shape, &ask, &proxy_lookup_answer_shape, &answer, &arena, by, err))
        return TABLE_FAILED;
    (void)buf_add(value, answer.value);
    return proxy_result(s, answer.status, err);
}

/* VALUE NULL: deletes. */
static bool proxy_change(struct store *s, slice key, const slice *value, deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(ANSWER_BYTES);
    const struct proxy_update update = {S("update"), proxied_name(s), 0, key, value == NULL ? S("") : *value};
    const struct proxy_lookup remove = {S("delete"), proxied_name(s), 0, key};
    struct proxy_status answer;

    return link_call(s->proxy, value != NULL ? &proxy_update_shape : &proxy_lookup_shape,
                     value != NULL ? (const void *)&update : (const void *)&remove, &proxy_status_shape, &answer, &arena, by,
                     err) &&
           proxy_result(s, answer.status, err) != TABLE_FAILED;
}

static enum table_got proxy_next(struct store *s, bool first, deadline by, struct buf *key, struct buf *value,
                                 struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(ANSWER_BYTES);
    const struct proxy_sequence ask = {S("sequence"), proxied_name(s), 0, first ? 0 : 1};
    struct proxy_sequence_answer answer;

    if (!link_call(s->proxy, &proxy_sequence_shape, &ask, &proxy_sequence_answer_shape, &answer, &arena, by, err))
        return TABLE_FAILED;
    (void)buf_add(key, answer.key);
    (void)buf_add(value, answer.value);
    return proxy_result(s, answer.status, err);
}

/* ---- in memory ---- */
static enum table_got memory_next(struct store *s, bool first, struct buf *key, struct buf *value)
{
    struct map_entry *e = first ? s->memory.first : s->at;

    if (e == NULL)
        return TABLE_NOT_FOUND;
    (void)buf_add(key, map_key(e));
    (void)buf_add_text(value, e->value);
    s->at = e->next;
    return TABLE_FOUND;
}

static void memory_set(struct store *s, slice key, slice value)
{
    free(map_set(&s->memory, key, xstrndup(value.p, value.n)));
}

/* The walk must not stand on what goes. */
static void memory_delete(struct store *s, slice key)
{
    if (s->at != NULL && slice_eq(map_key(s->at), key))
        s->at = s->at->next;
    free(map_take(&s->memory, key));
}

/* ---- any of them ---- */
enum table_got store_get(struct store *s, slice key, deadline by, struct buf *value, struct err *err)
{
    const char *text;

    buf_clear(value);
    if (!is_usable(s, err))
        return TABLE_FAILED;
    if (s->proxy != NULL)
        return proxy_get(s, key, by, value, err);
    if (s->file != NULL)
        return table_writer_get(s->file, key, value, err);
    text = map_get(&s->memory, key);
    return text != NULL && buf_add_text(value, text) ? TABLE_FOUND : TABLE_NOT_FOUND;
}

bool store_put(struct store *s, slice key, slice value, deadline by, struct err *err)
{
    if (!is_usable(s, err))
        return false;
    if (s->proxy != NULL)
        return proxy_change(s, key, &value, by, err);
    if (s->file != NULL)
        return table_writer_put(s->file, key, value, true, err) == TABLE_PUT_OK;
    memory_set(s, key, value);
    return true;
}

bool store_delete(struct store *s, slice key, deadline by, struct err *err)
{
    bool existed;

    if (!is_usable(s, err))
        return false;
    if (s->proxy != NULL)
        return proxy_change(s, key, NULL, by, err);
    if (s->file != NULL)
        return table_writer_delete(s->file, key, &existed, err);
    memory_delete(s, key);
    return true;
}

enum table_got store_next(struct store *s, bool first, deadline by, struct buf *key, struct buf *value, struct err *err)
{
    buf_clear(key);
    buf_clear(value);
    if (!is_usable(s, err))
        return TABLE_FAILED;
    if (s->proxy != NULL)
        return proxy_next(s, first, by, key, value, err);
    return s->file != NULL ? table_writer_next(s->file, first, key, value, err) : memory_next(s, first, key, value);
}
