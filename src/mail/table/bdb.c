/* hash:file, btree:file - Berkeley DB files "file.db", as Postfix makes them (keys and values with or without NUL).
 *
 * Readers hold a shared flock during a look-up; writers an exclusive one.  The library keeps pages in memory, so a reader whose
 * file was changed must be started anew: that is what table_changed() is for.  Source: postmap(1), DB_README. */
#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "mail/table/inner.h"

enum { BDB_READ_CACHE = 131072, BDB_WRITE_CACHE = 16777216, BDB_HASH_ENTRIES = 4096 };

struct bdb {
    DB *db;
    DBC *cursor;
    int lock_fd; /* a descriptor of our own: the library may close its */
    struct file_mark mark;
    bool try_nul, try_plain; /* until the first hit tells */
    bool without_loop;
    struct buf scratch;
    char path[TABLE_PATH];
};

static DBT dbt_of(slice s)
{
    DBT d = {0};

    d.data = (void *)(uintptr_t)s.p;
    d.size = (u_int32_t)s.n;
    return d;
}

static bool open_failed(const char *path, int why, struct err *err)
{
    return err_set(err, ERR_SYS, "open database %s: %s", path, why > 0 ? strerror(why) : db_strerror(why));
}

/* Opens PATH as KIND; FLAGS as by DB->open.  NULL: *WHY. */
static DB *db_new(const char *path, DBTYPE kind, u_int32_t flags, int mode, u_int32_t cache, int *why)
{
    DB *db;

    if ((*why = db_create(&db, NULL, 0)) != 0)
        return NULL;
    db->set_errfile(db, NULL);
    db->set_errcall(db, NULL);
    (void)db->set_cachesize(db, 0, cache, 0);
    if (kind == DB_HASH && (flags & DB_CREATE))
        (void)db->set_h_nelem(db, BDB_HASH_ENTRIES);
    if ((*why = db->open(db, NULL, path, NULL, kind, flags, mode)) == 0)
        return db;
    (void)db->close(db, DB_NOSYNC);
    return NULL;
}

static void bdb_free(struct bdb *b)
{
    if (b->cursor != NULL)
        (void)b->cursor->close(b->cursor);
    if (b->db != NULL)
        (void)b->db->close(b->db, DB_NOSYNC);
    fd_auto_close(&b->lock_fd);
    buf_done(&b->scratch);
    free(b);
}

static struct bdb *bdb_new(void)
{
    struct bdb *b = xcalloc(1, sizeof *b);

    b->lock_fd = -1;
    b->try_nul = b->try_plain = true;
    buf_init(&b->scratch, TABLE_TEXT_MAX);
    return b;
}

static void *bdb_open(DBTYPE kind, slice argument, unsigned flags, struct err *err)
{
    struct bdb *b = bdb_new();
    int why;

    b->without_loop = (flags & TABLE_NO_LOOP) != 0;
    if (!table_path(argument, ".db", b->path, err))
        goto failed;
    b->lock_fd = open(b->path, O_RDONLY | O_CLOEXEC);
    if (b->lock_fd < 0) {
        err_sys(err, "open database %s", b->path);
        goto failed;
    }
    /* Opening happens at start, so it may block. */
    if (!table_lock(b->lock_fd, LOCK_SH, true, NEVER, err))
        goto failed;
    b->db = db_new(b->path, kind, DB_RDONLY, 0, BDB_READ_CACHE, &why);
    (void)file_mark_take(b->lock_fd, &b->mark);
    (void)flock(b->lock_fd, LOCK_UN);
    if (b->db != NULL)
        return b;
    open_failed(b->path, why, err);
failed:
    bdb_free(b);
    return NULL;
}

static void *hash_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    (void)warnings;
    return bdb_open(DB_HASH, argument, flags, err);
}

static void *btree_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    (void)warnings;
    return bdb_open(DB_BTREE, argument, flags, err);
}

static void bdb_close(void *self)
{
    bdb_free(self);
}

/* Tries one form of KEY.  *WHY: 0, DB_NOTFOUND or an error. */
static int bdb_try(struct bdb *b, slice key, slice *value)
{
    DBT k = dbt_of(key), v = {0};
    int why = b->db->get(b->db, NULL, &k, &v, 0);

    if (why == 0)
        *value = without_nul((slice){v.data, v.size});
    return why;
}

/* Both forms of KEY, or the one this file has. */
static int bdb_find(struct bdb *b, slice key, slice *value)
{
    int why = DB_NOTFOUND;

    if (b->try_nul) {
        why = bdb_try(b, key_with_nul(&b->scratch, key), value);
        if (why == 0)
            b->try_plain = false;
    }
    if (why == DB_NOTFOUND && b->try_plain) {
        why = bdb_try(b, key, value);
        if (why == 0)
            b->try_nul = false;
    }
    return why;
}

static enum table_got bdb_answer(const struct bdb *b, int why, slice found, struct buf *value, struct err *err)
{
    if (why == 0)
        return value_set(value, found, err);
    if (why == DB_NOTFOUND)
        return TABLE_NOT_FOUND;
    err_set(err, ERR_SYS, "error reading %s: %s", b->path, db_strerror(why));
    return TABLE_FAILED;
}

static enum table_got bdb_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    struct bdb *b = self;
    slice found = {0};
    int why;

    if (key.n == 0)
        return TABLE_NOT_FOUND;
    if (!table_lock(b->lock_fd, LOCK_SH, b->without_loop, by, err))
        return TABLE_FAILED;
    why = bdb_find(b, key, &found);
    enum table_got got = bdb_answer(b, why, found, value, err);
    (void)flock(b->lock_fd, LOCK_UN);
    return got;
}

static bool bdb_changed(const void *self)
{
    const struct bdb *b = self;
    return file_mark_differs(b->lock_fd, &b->mark);
}

static enum table_got bdb_next(void *self, bool first, struct buf *key, struct buf *value, struct err *err)
{
    struct bdb *b = self;
    DBT k = {0}, v = {0};
    int why = 0;

    if (b->cursor == NULL)
        why = b->db->cursor(b->db, NULL, &b->cursor, 0);
    if (why == 0)
        why = b->cursor->get(b->cursor, &k, &v, first ? DB_FIRST : DB_NEXT);
    if (why == 0 && value_set(key, without_nul((slice){k.data, k.size}), err) != TABLE_FOUND)
        return TABLE_FAILED;
    return bdb_answer(b, why, without_nul((slice){v.data, v.size}), value, err);
}

static bool bdb_each(void *self, table_pair_fn *fn, void *context, struct err *err)
{
    AUTO_BUF struct buf key = BUF_INIT(TABLE_TEXT_MAX), value = BUF_INIT(TABLE_TEXT_MAX);
    struct bdb *b = self;
    enum table_got got;

    if (!table_lock(b->lock_fd, LOCK_SH, true, NEVER, err))
        return false;
    for (bool first = true; (got = bdb_next(b, first, &key, &value, err)) == TABLE_FOUND; first = false) {
        if (!fn(context, buf_slice(&key), buf_slice(&value)))
            break;
    }
    (void)flock(b->lock_fd, LOCK_UN);
    return got != TABLE_FAILED;
}

const struct table_type table_hash = {
    .name = "hash", .open = hash_open, .close = bdb_close, .get = bdb_get, .changed = bdb_changed, .each = bdb_each,
    .file_suffix = ".db",
};
const struct table_type table_btree = {
    .name = "btree", .open = btree_open, .close = bdb_close, .get = bdb_get, .changed = bdb_changed, .each = bdb_each,
    .file_suffix = ".db",
};

/* ---- writing ---- */

static bool bdb_lock(int fd, struct err *err)
{
    return table_lock(fd, LOCK_EX, true, NEVER, err);
}

static void bdb_unlock(int fd)
{
    (void)flock(fd, LOCK_UN);
}

static void *bdb_write_open(DBTYPE kind, const char *path, bool create, unsigned mode, struct err *err)
{
    struct bdb *b = bdb_new();
    int why;

    snprintf(b->path, sizeof b->path, "%s", path);
    b->lock_fd = open(path, create ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDWR | O_CLOEXEC, mode);
    if (b->lock_fd < 0)
        err_sys(err, "open database %s", path);
    else if (bdb_lock(b->lock_fd, err)) {
        b->db = db_new(path, kind, create ? DB_CREATE | DB_TRUNCATE : 0, (int)mode, BDB_WRITE_CACHE, &why);
        if (b->db != NULL)
            return b;
        open_failed(path, why, err);
    }
    bdb_free(b);
    return NULL;
}

static void *hash_write_open(const char *path, bool create, unsigned mode, struct err *err)
{
    return bdb_write_open(DB_HASH, path, create, mode, err);
}

static void *btree_write_open(const char *path, bool create, unsigned mode, struct err *err)
{
    return bdb_write_open(DB_BTREE, path, create, mode, err);
}

static int bdb_fd(void *self)
{
    return ((struct bdb *)self)->lock_fd;
}

static enum table_put bdb_put(void *self, slice key, slice value, bool replace, struct err *err)
{
    struct bdb *b = self;
    DBT k = dbt_of(key), v = dbt_of(value);
    int why = b->db->put(b->db, NULL, &k, &v, replace ? 0 : DB_NOOVERWRITE);

    if (why == 0)
        return TABLE_PUT_OK;
    if (why == DB_KEYEXIST)
        return TABLE_PUT_DUPLICATE;
    err_set(err, ERR_SYS, "error writing %s: %s", b->path, db_strerror(why));
    return TABLE_PUT_FAILED;
}

static enum table_got bdb_write_get(void *self, slice key, struct buf *value, struct err *err)
{
    slice found = {0};
    int why = bdb_find(self, key, &found);

    return bdb_answer(self, why, found, value, err);
}

static bool bdb_remove(void *self, slice key, bool *existed, struct err *err)
{
    struct bdb *b = self;
    bool any = false;

    for (int form = 0; form < 2; form++) {
        DBT k = dbt_of(form == 0 ? key_with_nul(&b->scratch, key) : key);
        int why = b->db->del(b->db, NULL, &k, 0);
        if (why != 0 && why != DB_NOTFOUND)
            return err_set(err, ERR_SYS, "error deleting from %s: %s", b->path, db_strerror(why));
        any = any || why == 0;
    }
    *existed = any;
    return true;
}

static bool bdb_sync(void *self, struct err *err)
{
    struct bdb *b = self;
    int why = b->db->sync(b->db, 0);

    return why == 0 || err_set(err, ERR_SYS, "flush database %s: %s", b->path, db_strerror(why));
}

static bool bdb_write_close(void *self, bool keep, struct err *err)
{
    struct bdb *b = self;
    int why = 0;

    if (b->cursor != NULL)
        (void)b->cursor->close(b->cursor);
    b->cursor = NULL;
    why = b->db->close(b->db, keep ? 0 : DB_NOSYNC);
    b->db = NULL;
    if (why != 0 && keep)
        err_set(err, ERR_SYS, "close database %s: %s", b->path, db_strerror(why));
    bdb_free(b);
    return why == 0 || !keep;
}

#define BDB_WRITER(type, open_fn)                                                                                      \
    {                                                                                                                  \
        .name = type, .suffix = ".db", .named_by_file = true, .open = open_fn, .fd = bdb_fd, .lock = bdb_lock,   \
        .unlock = bdb_unlock, .put = bdb_put, .get = bdb_write_get, .remove = bdb_remove, .next = bdb_next, .sync = bdb_sync, .close = bdb_write_close,      \
    }
const struct writer_type hash_writer = BDB_WRITER("hash", hash_write_open);
const struct writer_type btree_writer = BDB_WRITER("btree", btree_write_open);
