#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "mail/table/inner.h"

static const struct writer_type *const writer_types[] = {&hash_writer, &btree_writer, &lmdb_writer};

struct table_writer {
    const struct writer_type *type;
    void *self;
    unsigned flags;
    int guard;      /* the old file: gives its looks, and its lock for the moment of renaming */
    bool beside;    /* built under TEMP, takes PATH's place at close */
    char path[TABLE_PATH], temp[TABLE_PATH + 32];
    char *name;
    struct buf key, value; /* with NUL */
};

static const struct writer_type *writer_type_find(slice name)
{
    for (size_t i = 0; i < COUNT_OF(writer_types); i++) {
        if (slice_eq(slice_text(writer_types[i]->name), name))
            return writer_types[i];
    }
    return NULL;
}

bool table_can_write(slice type)
{
    return writer_type_find(type) != NULL;
}

static void writer_free(struct table_writer *w)
{
    fd_auto_close(&w->guard);
    buf_done(&w->key);
    buf_done(&w->value);
    free(w->name);
    free(w);
}

/* Takes the lock of the file that has the name now, if there is one: other writers, in place, are then done. */
static bool lock_old(struct table_writer *w, struct err *err)
{
    for (;;) {
        fd_auto_close(&w->guard);
        w->guard = open(w->path, O_RDWR | O_CLOEXEC);
        if (w->guard < 0)
            return errno == ENOENT || errno == EACCES || err_sys(err, "open database %s", w->path);
        if (!w->type->lock(w->guard, err))
            return false;
        if (!file_replaced(w->guard))
            return true;
    }
}

/* The successor looks like the old file, or has MODE. */
static void copy_looks(int from, int to, unsigned mode)
{
    struct stat st;

    if (from >= 0 && fstat(from, &st) == 0) {
        mode = st.st_mode & 07777;
        (void)!fchown(to, st.st_uid, st.st_gid);
    }
    (void)fchmod(to, mode);
}

static bool open_new(struct table_writer *w, unsigned mode, struct err *err)
{
    w->guard = open(w->path, O_RDONLY | O_CLOEXEC);
    snprintf(w->temp, sizeof w->temp, "%s.new.%ld", w->path, (long)getpid());
    (void)unlink(w->temp);
    w->self = w->type->open(w->temp, true, mode, err);
    if (w->self != NULL) {
        w->beside = true;
        copy_looks(w->guard, w->type->fd(w->self), mode);
        return true;
    }
    /* No new name can be made here; the old file, if any, can still be written. */
    if (err->sys != EACCES && err->sys != EROFS && err->sys != EPERM)
        return false;
    fd_auto_close(&w->guard);
    w->guard = -1;
    if (access(w->path, F_OK) != 0) {
        errno = err->sys;
        return err_sys(err, "open database %s", w->path);
    }
    w->self = w->type->open(w->path, true, mode, err);
    return w->self != NULL;
}

static bool open_old(struct table_writer *w, unsigned mode, struct err *err)
{
    w->self = w->type->open(w->path, false, mode, err);
    if (w->self == NULL && err->sys == ENOENT && !(w->flags & TABLE_WRITE_EXISTING)) {
        w->self = w->type->open(w->path, true, mode, err);
        if (w->self != NULL)
            (void)fchmod(w->type->fd(w->self), mode);
    }
    if (w->self == NULL)
        return false;
    if (!(w->flags & TABLE_WRITE_SHARED))
        return true;
    if (!w->type->sync(w->self, err))
        return false;
    w->type->unlock(w->type->fd(w->self));
    return true;
}

struct table_writer *table_writer_open_as(slice type_and_file, const struct table_write_options *o, struct err *err)
{
    size_t colon = slice_find(type_and_file, ':');
    slice type = slice_head(type_and_file, colon), file = slice_skip(type_and_file, colon == SLICE_NONE ? type.n : colon + 1);
    unsigned mode = o->mode != 0 ? o->mode : 0644;
    struct table_writer *w = xcalloc(1, sizeof *w);
    const char *slash;

    w->guard = -1;
    w->flags = o->flags;
    w->type = writer_type_find(type);
    buf_init(&w->key, TABLE_TEXT_MAX);
    buf_init(&w->value, TABLE_TEXT_MAX);
    if (w->type == NULL) {
        err_set(err, ERR_CONFIG, "unsupported dictionary type: %.*s", S_ARG(type));
        goto failed;
    }
    if (!table_path(file, w->type->suffix, w->path, err))
        goto failed;
    if (w->type->named_by_file) {
        slash = w->path;
        w->name = xstrndup(slash, strlen(slash));
    } else {
        w->name = xstrndup(type_and_file.p, type_and_file.n);
    }
    if ((o->flags & TABLE_WRITE_TRUNCATE) ? open_new(w, mode, err) : open_old(w, mode, err))
        return w;
failed:
    if (w->self != NULL)
        table_writer_abandon(w);
    else
        writer_free(w);
    return NULL;
}

struct table_writer *table_writer_open(slice type_and_file, bool truncate, struct err *err)
{
    struct table_write_options o = {.flags = truncate ? TABLE_WRITE_TRUNCATE : 0};
    return table_writer_open_as(type_and_file, &o, err);
}

const char *table_writer_name(const struct table_writer *w)
{
    return w->name;
}

static bool begin(struct table_writer *w, struct err *err)
{
    return !(w->flags & TABLE_WRITE_SHARED) || w->type->lock(w->type->fd(w->self), err);
}

/* OK: what the call itself came to. */
static bool end(struct table_writer *w, bool ok, bool wrote, struct err *err)
{
    struct err ignored;

    if (!(w->flags & TABLE_WRITE_SHARED))
        return ok;
    if (ok && wrote)
        ok = w->type->sync(w->self, err);
    else
        (void)w->type->sync(w->self, &ignored);
    w->type->unlock(w->type->fd(w->self));
    return ok;
}

static slice stored(const struct table_writer *w, struct buf *scratch, slice s)
{
    return (w->flags & TABLE_WRITE_NO_NUL) ? s : key_with_nul(scratch, s);
}

enum table_put table_writer_put(struct table_writer *w, slice key, slice value, bool replace, struct err *err)
{
    enum table_put put;

    if (fault("table.put")) {
        err_sys(err, "error writing %s", w->path);
        return TABLE_PUT_FAILED;
    }
    if (!begin(w, err))
        return TABLE_PUT_FAILED;
    put = w->type->put(w->self, stored(w, &w->key, key), stored(w, &w->value, value), replace, err);
    return end(w, put != TABLE_PUT_FAILED, put == TABLE_PUT_OK, err) ? put : TABLE_PUT_FAILED;
}

bool table_writer_delete(struct table_writer *w, slice key, bool *existed, struct err *err)
{
    return begin(w, err) && end(w, w->type->remove(w->self, key, existed, err), true, err);
}

enum table_got table_writer_get(struct table_writer *w, slice key, struct buf *value, struct err *err)
{
    enum table_got got;

    if (!begin(w, err))
        return TABLE_FAILED;
    got = w->type->get(w->self, key, value, err);
    (void)end(w, true, false, err);
    return got;
}

enum table_got table_writer_next(struct table_writer *w, bool first, struct buf *key, struct buf *value, struct err *err)
{
    enum table_got got;

    if (!begin(w, err))
        return TABLE_FAILED;
    got = w->type->next(w->self, first, key, value, err);
    (void)end(w, true, false, err);
    return got;
}

bool table_writer_close(struct table_writer *w, struct err *err)
{
    bool ok = w->type->close(w->self, true, err);

    if (ok && w->beside)
        ok = lock_old(w, err);
    if (ok && w->beside && (fault("table.rename") || rename(w->temp, w->path) != 0))
        ok = err_sys(err, "rename %s to %s", w->temp, w->path);
    if (!ok && w->beside)
        (void)unlink(w->temp);
    writer_free(w);
    return ok;
}

void table_writer_abandon(struct table_writer *w)
{
    struct err ignored;

    (void)w->type->close(w->self, false, &ignored);
    if (w->beside)
        (void)unlink(w->temp);
    writer_free(w);
}
