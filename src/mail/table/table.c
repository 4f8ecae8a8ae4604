#include "mail/table/inner.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/run/task.h"

struct table {
    const struct table_type *type;
    char *name;
    void *self; /* NULL: unavailable, see problem */
    unsigned flags;
    struct err *problem;
    struct buf warnings;
    uid_t owner;
};

static const struct table_type *type_find(slice name)
{
    for (size_t i = 0; table_types[i] != NULL; i++) {
        if (slice_eq(slice_text(table_types[i]->name), name))
            return table_types[i];
    }
    return NULL;
}

/* What is written in main.cf is root's. */
static uid_t owner_of(const struct table_type *type, slice argument, unsigned flags)
{
    char path[TABLE_PATH];
    struct err ignored;
    struct stat st;
    slice inner;

    if (type == &table_proxy && (flags & TABLE_NO_PROXY) != 0 && cut_until(&argument, ':', &inner))
        type = type_find(inner);
    if (type == NULL || (argument.n > 0 && argument.p[0] == '{'))
        return type == NULL ? TABLE_NOBODY : 0;
    if (type->file_suffix == NULL)
        return type == &table_inline || type == &table_static || type == &table_unix ? 0 : TABLE_NOBODY;
    return table_path(argument, type->file_suffix, path, &ignored) && stat(path, &st) == 0 ? st.st_uid : TABLE_NOBODY;
}

struct table *table_open(slice name, unsigned flags, struct err *err)
{
    size_t colon = slice_find(name, ':');
    struct err why;

    if (colon == SLICE_NONE || colon == 0 || colon + 1 == name.n || slice_has_nul(name)) {
        err_set(err, ERR_CONFIG, "open dictionary: expecting \"type:name\" form instead of \"%.*s\"", S_ARG(name));
        return NULL;
    }
    struct table *t = xcalloc(1, sizeof *t);
    t->name = xstrndup(name.p, name.n);
    t->flags = flags;
    buf_init(&t->warnings, TABLE_WARNINGS_MAX);
    t->type = type_find(slice_head(name, colon));
    if (t->type == NULL)
        err_set(&why, ERR_CONFIG, "unsupported dictionary type: %.*s", (int)colon, name.p);
    else
        t->self = t->type->open(slice_skip(name, colon + 1), flags, &t->warnings, &why);
    t->owner = t->self != NULL ? owner_of(t->type, slice_skip(name, colon + 1), flags) : TABLE_NOBODY;
    if (t->self == NULL) {
        t->problem = xmalloc(sizeof why);
        *t->problem = why;
    }
    return t;
}

void table_close(struct table *t)
{
    if (t == NULL)
        return;
    if (t->self != NULL)
        t->type->close(t->self);
    buf_done(&t->warnings);
    free(t->problem);
    free(t->name);
    free(t);
}

const char *table_name(const struct table *t)
{
    return t->name;
}

uid_t table_owner(const struct table *t)
{
    return t->owner;
}

const struct err *table_problem(const struct table *t)
{
    return t->problem;
}

slice table_warnings(const struct table *t)
{
    return buf_slice(&t->warnings);
}

bool table_fold(slice s, struct buf *out)
{
    char *to;

    buf_clear(out);
    to = buf_reserve(out, s.n);
    if (to == NULL)
        return false;
    for (size_t i = 0; i < s.n; i++)
        to[i] = ascii_lower(s.p[i]);
    buf_commit(out, s.n);
    return true;
}

static bool has_upper(slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 'A' && s.p[i] <= 'Z')
            return true;
    }
    return false;
}

enum table_got table_get(struct table *t, slice key, deadline by, struct buf *value, struct err *err)
{
    AUTO_BUF struct buf folded = BUF_INIT(TABLE_TEXT_MAX);

    buf_clear(value);
    if (t->self == NULL) {
        err_set(err, ERR_TEMPORARY, "%s is unavailable. %s", t->name, t->problem->text);
        return TABLE_FAILED;
    }
    if ((t->flags & TABLE_FOLD) && !t->type->is_pattern && !t->type->keeps_case && has_upper(key)) {
        table_fold(key, &folded);
        key = buf_slice(&folded);
    }
    enum table_got got = t->type->get(t->self, key, by, value, err);
    if (got != TABLE_FOUND)
        buf_clear(value);
    return got;
}

bool table_changed(const struct table *t)
{
    return t->self != NULL && t->type->changed != NULL && t->type->changed(t->self);
}

bool table_is_pattern(const struct table *t)
{
    if (t->self != NULL && t->type->is_pattern_self != NULL)
        return t->type->is_pattern_self(t->self);
    return t->type != NULL && t->type->is_pattern;
}

bool table_each(slice type_and_file, table_pair_fn *fn, void *context, struct err *err)
{
    struct table *t = table_open(type_and_file, TABLE_NO_PROXY | TABLE_NO_LOOP, err);
    bool ok = false;

    if (t == NULL)
        return false;
    if (t->problem != NULL)
        *err = *t->problem;
    else if (t->type->each == NULL)
        err_set(err, ERR_CONFIG, "table %s: sequence operation is not supported", t->name);
    else
        ok = t->type->each(t->self, fn, context, err);
    table_close(t);
    return ok;
}

/* ---- shared by the types ---- */

enum table_got value_set(struct buf *value, slice s, struct err *err)
{
    buf_clear(value);
    if (buf_add(value, s))
        return TABLE_FOUND;
    err_set(err, ERR_LIMIT, "table value of %zu bytes is too long", s.n);
    return TABLE_FAILED;
}

void warn(struct buf *warnings, const char *format, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    buf_addf(warnings, "%s\n", text);
}

bool table_path(slice path, const char *suffix, char to[TABLE_PATH], struct err *err)
{
    size_t more = strlen(suffix);

    if (path.n + more >= TABLE_PATH || slice_has_nul(path))
        return err_set(err, ERR_CONFIG, "open database %.*s%s: File name too long", (int)(path.n < 200 ? path.n : 200),
                       path.p, suffix);
    memcpy(to, path.p, path.n);
    memcpy(to + path.n, suffix, more + 1);
    return true;
}

slice key_with_nul(struct buf *scratch, slice key)
{
    buf_clear(scratch);
    buf_add(scratch, key);
    buf_add_char(scratch, '\0');
    return buf_slice(scratch);
}

bool table_lock(int fd, int operation, bool without_loop, deadline by, struct err *err)
{
    int64_t pause = MILLIS(2);

    while (flock(fd, operation | (without_loop ? 0 : LOCK_NB)) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || without_loop)
            return err_sys(err, "lock table");
        if (deadline_passed(by))
            return err_set(err, ERR_TIMEOUT, "lock table: timeout");
        if (!task_sleep(deadline_sooner(by, deadline_in(pause)), err))
            return false;
        if (pause < MILLIS(100))
            pause *= 2;
    }
    return true;
}

bool file_mark_take(int fd, struct file_mark *m)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return false;
    *m = (struct file_mark){st.st_mtim, st.st_size};
    return true;
}

bool file_replaced(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

bool file_mark_differs(int fd, const struct file_mark *m)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return false;
    return st.st_nlink == 0 || st.st_mtim.tv_sec != m->mtime.tv_sec || st.st_mtim.tv_nsec != m->mtime.tv_nsec;
}
