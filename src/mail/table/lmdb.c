/* lmdb:file - LMDB files "file.lmdb" (one file, no lock file), as Postfix makes them.
 *
 * Postfix turns LMDB's own locks off and takes fcntl locks around transactions; so do we, as open-file-description locks, which
 * exclude the others' and do not vanish when some other descriptor of the file is closed.  Source: lmdb_table(5), LMDB_README. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/run/task.h"
#include "mail/table/inner.h"

enum { LMDB_READ_MAP = 16777216 };
/* Room to grow for a writer; the file itself stays as small as its content. */
#define LMDB_WRITE_MAP ((size_t)64 << 30)

struct lmdb {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;       /* writer: the one under way */
    MDB_cursor *cursor; /* writer */
    int fd;             /* ours, for locks and marks */
    struct file_mark mark;
    bool try_nul, try_plain, without_loop;
    struct buf scratch;
    char path[TABLE_PATH];
};

static bool failed(const struct lmdb *l, const char *doing, int why, struct err *err)
{
    return err_set(err, ERR_SYS, "%s %s: %s", doing, l->path, mdb_strerror(why));
}

static struct lmdb *lmdb_new(void)
{
    struct lmdb *l = xcalloc(1, sizeof *l);

    l->fd = -1;
    l->try_nul = l->try_plain = true;
    buf_init(&l->scratch, TABLE_TEXT_MAX);
    return l;
}

static void lmdb_free(void *self)
{
    struct lmdb *l = self;

    if (l->cursor != NULL)
        mdb_cursor_close(l->cursor);
    if (l->txn != NULL)
        mdb_txn_abort(l->txn);
    if (l->env != NULL)
        mdb_env_close(l->env);
    fd_auto_close(&l->fd);
    buf_done(&l->scratch);
    free(l);
}

static int fcntl_lock(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

static bool lmdb_lock(const struct lmdb *l, short type, deadline by, struct err *err)
{
    while (fcntl_lock(l->fd, type) != 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return err_sys(err, "lock %s", l->path);
        if (deadline_passed(by))
            return err_set(err, ERR_TIMEOUT, "lock %s: timeout", l->path);
        if (l->without_loop)
            usleep(5000);
        else if (!task_sleep(deadline_sooner(by, deadline_in(MILLIS(5))), err))
            return false;
    }
    return true;
}

static void lmdb_unlock(const struct lmdb *l)
{
    (void)fcntl_lock(l->fd, F_UNLCK);
}

static int env_new(struct lmdb *l, size_t map, unsigned flags, unsigned mode)
{
    int why = mdb_env_create(&l->env);

    if (why == 0)
        why = mdb_env_set_mapsize(l->env, map);
    if (why == 0)
        why = mdb_env_open(l->env, l->path, MDB_NOSUBDIR | MDB_NOLOCK | flags, (mdb_mode_t)mode);
    return why;
}

static size_t read_map_bytes(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size < LMDB_READ_MAP)
        return LMDB_READ_MAP;
    return (size_t)st.st_size;
}

static void *lmdb_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    struct lmdb *l = lmdb_new();
    int why;

    (void)warnings;
    l->without_loop = true; /* while opening */
    if (!table_path(argument, ".lmdb", l->path, err))
        goto failed;
    l->fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) {
        err_sys(err, "open database %s", l->path);
        goto failed;
    }
    if (!lmdb_lock(l, F_RDLCK, NEVER, err))
        goto failed;
    why = env_new(l, read_map_bytes(l->fd), MDB_RDONLY | MDB_NOTLS, 0);
    MDB_txn *txn = NULL;
    if (why == 0)
        why = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
    if (why == 0)
        why = mdb_dbi_open(txn, NULL, 0, &l->dbi);
    if (why == 0)
        why = mdb_txn_commit(txn); /* keeps the handle */
    else if (txn != NULL)
        mdb_txn_abort(txn);
    lmdb_unlock(l);
    (void)file_mark_take(l->fd, &l->mark);
    l->without_loop = (flags & TABLE_NO_LOOP) != 0;
    if (why == 0)
        return l;
    failed(l, "open database", why, err);
failed:
    lmdb_free(l);
    return NULL;
}

static int lmdb_try(struct lmdb *l, MDB_txn *txn, slice key, slice *value)
{
    MDB_val k = {key.n, (void *)(uintptr_t)key.p}, v;
    int why = mdb_get(txn, l->dbi, &k, &v);

    if (why == 0)
        *value = without_nul((slice){v.mv_data, v.mv_size});
    return why == MDB_BAD_VALSIZE ? MDB_NOTFOUND : why; /* no stored key is so long */
}

static int lmdb_find(struct lmdb *l, MDB_txn *txn, slice key, slice *value)
{
    int why = MDB_NOTFOUND;

    if (l->try_nul) {
        why = lmdb_try(l, txn, key_with_nul(&l->scratch, key), value);
        if (why == 0)
            l->try_plain = false;
    }
    if (why == MDB_NOTFOUND && l->try_plain) {
        why = lmdb_try(l, txn, key, value);
        if (why == 0)
            l->try_nul = false;
    }
    return why;
}

static enum table_got lmdb_answer(const struct lmdb *l, int why, slice found, struct buf *value, struct err *err)
{
    if (why == 0)
        return value_set(value, found, err);
    if (why == MDB_NOTFOUND)
        return TABLE_NOT_FOUND;
    failed(l, "error reading", why, err);
    return TABLE_FAILED;
}

/* A snapshot; the file may have outgrown our map since. */
static int lmdb_begin(struct lmdb *l, MDB_txn **txn)
{
    int why = mdb_txn_begin(l->env, NULL, MDB_RDONLY, txn);

    if (why != MDB_MAP_RESIZED)
        return why;
    why = mdb_env_set_mapsize(l->env, read_map_bytes(l->fd));
    return why == 0 ? mdb_txn_begin(l->env, NULL, MDB_RDONLY, txn) : why;
}

static enum table_got lmdb_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    struct lmdb *l = self;
    slice found = {0};
    MDB_txn *txn;
    int why;

    if (key.n == 0)
        return TABLE_NOT_FOUND;
    if (!lmdb_lock(l, F_RDLCK, by, err))
        return TABLE_FAILED;
    why = lmdb_begin(l, &txn);
    if (why == 0)
        why = lmdb_find(l, txn, key, &found);
    else
        txn = NULL;
    enum table_got got = lmdb_answer(l, why, found, value, err);
    if (txn != NULL)
        mdb_txn_abort(txn);
    lmdb_unlock(l);
    return got;
}

static bool lmdb_changed(const void *self)
{
    const struct lmdb *l = self;
    return file_mark_differs(l->fd, &l->mark);
}

static bool lmdb_each(void *self, table_pair_fn *fn, void *context, struct err *err)
{
    struct lmdb *l = self;
    MDB_cursor *cursor;
    MDB_val k, v;
    MDB_txn *txn;
    int why;

    if (!lmdb_lock(l, F_RDLCK, NEVER, err))
        return false;
    if ((why = lmdb_begin(l, &txn)) == 0) {
        if ((why = mdb_cursor_open(txn, l->dbi, &cursor)) == 0) {
            while ((why = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0 &&
                   fn(context, without_nul((slice){k.mv_data, k.mv_size}), without_nul((slice){v.mv_data, v.mv_size})))
                ;
            mdb_cursor_close(cursor);
        }
        mdb_txn_abort(txn);
    }
    lmdb_unlock(l);
    return why == 0 || why == MDB_NOTFOUND || failed(l, "error reading", why, err);
}

const struct table_type table_lmdb = {
    .name = "lmdb", .open = lmdb_open, .close = lmdb_free, .get = lmdb_get, .changed = lmdb_changed, .each = lmdb_each,
    .file_suffix = ".lmdb",
};

/* ---- writing: one transaction from open (or the last sync) to close (or the next) ---- */

static int lmdb_transaction(struct lmdb *l)
{
    int why = 0;

    if (l->txn == NULL && (why = mdb_txn_begin(l->env, NULL, 0, &l->txn)) == 0)
        why = mdb_dbi_open(l->txn, NULL, 0, &l->dbi);
    return why;
}

static bool lmdb_write_lock(int fd, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    while (fcntl(fd, F_OFD_SETLKW, &lock) != 0) {
        if (errno != EINTR)
            return err_sys(err, "lock table");
    }
    return true;
}

static void lmdb_write_unlock(int fd)
{
    (void)fcntl_lock(fd, F_UNLCK);
}

static void *lmdb_write_open(const char *path, bool create, unsigned mode, struct err *err)
{
    struct lmdb *l = lmdb_new();
    int why;

    l->without_loop = true;
    snprintf(l->path, sizeof l->path, "%s", path);
    l->fd = open(path, create ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDWR | O_CLOEXEC, mode);
    if (l->fd < 0) {
        err_sys(err, "open database %s", path);
        goto failed;
    }
    if (!lmdb_write_lock(l->fd, err))
        goto failed;
    why = env_new(l, LMDB_WRITE_MAP, 0, mode);
    if (why == 0)
        why = lmdb_transaction(l);
    if (why == 0 && create)
        why = mdb_drop(l->txn, l->dbi, 0);
    if (why == 0)
        return l;
    failed(l, "open database", why, err);
failed:
    lmdb_free(l);
    return NULL;
}

static int lmdb_fd(void *self)
{
    return ((struct lmdb *)self)->fd;
}

static bool lmdb_sync(void *self, struct err *err)
{
    struct lmdb *l = self;
    int why;

    if (l->cursor != NULL)
        mdb_cursor_close(l->cursor);
    l->cursor = NULL;
    if (l->txn == NULL)
        return true;
    why = mdb_txn_commit(l->txn);
    l->txn = NULL;
    return why == 0 || failed(l, "commit", why, err);
}

static enum table_put lmdb_put(void *self, slice key, slice value, bool replace, struct err *err)
{
    struct lmdb *l = self;
    MDB_val k = {key.n, (void *)(uintptr_t)key.p}, v = {value.n, (void *)(uintptr_t)value.p};
    int why = lmdb_transaction(l);

    if (why == 0)
        why = mdb_put(l->txn, l->dbi, &k, &v, replace ? 0 : MDB_NOOVERWRITE);
    if (why == 0)
        return TABLE_PUT_OK;
    if (why == MDB_KEYEXIST)
        return TABLE_PUT_DUPLICATE;
    failed(l, "error writing", why, err);
    return TABLE_PUT_FAILED;
}

static enum table_got lmdb_write_get(void *self, slice key, struct buf *value, struct err *err)
{
    struct lmdb *l = self;
    slice found = {0};
    int why = lmdb_transaction(l);

    if (why == 0)
        why = lmdb_find(l, l->txn, key, &found);
    return lmdb_answer(l, why, found, value, err);
}

static bool lmdb_remove(void *self, slice key, bool *existed, struct err *err)
{
    struct lmdb *l = self;
    int why = lmdb_transaction(l);
    bool any = false;

    for (int form = 0; why == 0 && form < 2; form++) {
        slice stored = form == 0 ? key_with_nul(&l->scratch, key) : key;
        MDB_val k = {stored.n, (void *)(uintptr_t)stored.p};
        why = mdb_del(l->txn, l->dbi, &k, NULL);
        any = any || why == 0;
        if (why == MDB_NOTFOUND || why == MDB_BAD_VALSIZE)
            why = 0;
    }
    if (why != 0)
        return failed(l, "error deleting from", why, err);
    *existed = any;
    return true;
}

/* The key last seen is remembered by the caller's next() only through the cursor, so the transaction stays open. */
static enum table_got lmdb_next(void *self, bool first, struct buf *key, struct buf *value, struct err *err)
{
    struct lmdb *l = self;
    MDB_val k = {0}, v = {0};
    int why = lmdb_transaction(l);

    if (why == 0 && l->cursor == NULL) {
        why = mdb_cursor_open(l->txn, l->dbi, &l->cursor);
        /* A new cursor in the middle of a walk: go on behind the key we gave last. */
        if (why == 0 && !first && key->n > 0) {
            slice last = key_with_nul(&l->scratch, buf_slice(key));
            MDB_val at = {last.n, (void *)(uintptr_t)last.p};
            why = mdb_cursor_get(l->cursor, &at, &v, MDB_SET_RANGE);
            if (why == 0 && slice_eq((slice){at.mv_data, at.mv_size}, last))
                why = mdb_cursor_get(l->cursor, &k, &v, MDB_NEXT);
            else
                k = at;
            goto got;
        }
    }
    if (why == 0)
        why = mdb_cursor_get(l->cursor, &k, &v, first ? MDB_FIRST : MDB_NEXT);
got:
    if (why == 0 && value_set(key, without_nul((slice){k.mv_data, k.mv_size}), err) != TABLE_FOUND)
        return TABLE_FAILED;
    return lmdb_answer(l, why, without_nul((slice){v.mv_data, v.mv_size}), value, err);
}

static bool lmdb_write_close(void *self, bool keep, struct err *err)
{
    bool ok = !keep || lmdb_sync(self, err);

    lmdb_free(self);
    return ok;
}

const struct writer_type lmdb_writer = {
    .name = "lmdb", .suffix = ".lmdb", .named_by_file = false, .open = lmdb_write_open, .fd = lmdb_fd,
    .lock = lmdb_write_lock, .unlock = lmdb_write_unlock, .put = lmdb_put, .get = lmdb_write_get, .remove = lmdb_remove, .next = lmdb_next, .sync = lmdb_sync, .close = lmdb_write_close,
};
