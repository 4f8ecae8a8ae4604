/* static:value, fail:name - tables without content.  Source: DATABASE_README. */
#include "core/base/bug.h"
#include "mail/table/inner.h"

struct fixed {
    char *text;
    size_t bytes;
};

static void *fixed_new(slice text)
{
    struct fixed *f = xcalloc(1, sizeof *f);

    f->text = xstrndup(text.n > 0 ? text.p : "", text.n);
    f->bytes = text.n;
    return f;
}

static void fixed_free(void *self)
{
    struct fixed *f = self;

    free(f->text);
    free(f);
}

static void *static_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    slice all = argument, inside;

    (void)flags;
    (void)warnings;
    if (*argument.p != '{')
        return fixed_new(argument);
    if (!cut_braces(&all, &inside)) {
        err_set(err, ERR_CONFIG, "bad static:name syntax: missing '}' in \"%.*s\"", S_ARG(argument));
        return NULL;
    }
    if (slice_trim(all).n > 0) {
        err_set(err, ERR_CONFIG, "bad static:name syntax: syntax error after '}' in \"%.*s\"", S_ARG(argument));
        return NULL;
    }
    return fixed_new(inside);
}

static enum table_got static_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    const struct fixed *f = self;

    (void)key;
    (void)by;
    return value_set(value, (slice){f->text, f->bytes}, err);
}

const struct table_type table_static = {
    .name = "static", .open = static_open, .close = fixed_free, .get = static_get,
};

static void *fail_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    (void)flags;
    (void)warnings;
    (void)err;
    return fixed_new(argument);
}

static enum table_got fail_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    const struct fixed *f = self;

    (void)key;
    (void)by;
    (void)value;
    err_set(err, ERR_TEMPORARY, "table fail:%s: query error: Application error", f->text);
    return TABLE_FAILED;
}

const struct table_type table_fail = {
    .name = "fail", .is_pattern = true, .open = fail_open, .close = fixed_free, .get = fail_get,
};
