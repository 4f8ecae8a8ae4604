/* pipemap:{a, b}, unionmap:{a, b}, randmap:{x, y} - tables made of tables or of values.  Source: DATABASE_README. */
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/bug.h"
#include "core/conf/main_cf.h"
#include "mail/table/inner.h"

struct combined {
    struct table **members;
    char **values; /* randmap */
    size_t count;
    bool is_pattern;
};

static void combined_free(void *self)
{
    struct combined *c = self;

    for (size_t i = 0; i < c->count; i++) {
        if (c->members != NULL)
            table_close(c->members[i]);
        if (c->values != NULL)
            free(c->values[i]);
    }
    free(c->members);
    free(c->values);
    free(c);
}

static bool add_member(struct combined *c, slice item, unsigned flags, struct buf *warnings, struct err *err)
{
    struct table *t = table_open(item, flags, err);

    if (t == NULL)
        return false;
    buf_add(warnings, table_warnings(t));
    if (table_problem(t) != NULL) {
        *err = *table_problem(t);
        table_close(t);
        return false;
    }
    c->is_pattern = c->is_pattern || table_is_pattern(t);
    c->members = xrealloc_array(c->members, c->count + 1, sizeof(struct table *));
    c->members[c->count++] = t;
    return true;
}

static bool add_value(struct combined *c, slice item)
{
    c->values = xrealloc_array(c->values, c->count + 1, sizeof(char *));
    c->values[c->count++] = xstrndup(item.p, item.n);
    return true;
}

static void *open_list(const char *type, bool of_tables, slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    slice all = argument, list, item;
    bool braced;
    enum conf_got got;

    if (!cut_braces(&all, &list) || slice_trim(all).n > 0 || list.n == 0) {
        err_set(err, ERR_CONFIG, "bad syntax: \"%s:%.*s\"; need \"%s:{%s}\"", type, S_ARG(argument), type,
                of_tables ? "type:name..." : "value...");
        return NULL;
    }
    struct combined *c = xcalloc(1, sizeof *c);
    while ((got = conf_next_item(&list, ", \t\r\n", &item, &braced, err)) == CONF_ITEM) {
        if (!(of_tables ? add_member(c, item, flags, warnings, err) : add_value(c, item)))
            break;
    }
    if (got == CONF_END && c->count > 0)
        return c;
    if (got == CONF_END)
        err_set(err, ERR_CONFIG, "empty list: \"%s:%.*s\"", type, S_ARG(argument));
    combined_free(c);
    return NULL;
}

static bool combined_changed(const void *self)
{
    const struct combined *c = self;

    for (size_t i = 0; c->members != NULL && i < c->count; i++) {
        if (table_changed(c->members[i]))
            return true;
    }
    return false;
}

static bool combined_is_pattern(const void *self)
{
    const struct combined *c = self;
    return c->is_pattern;
}

static void *pipemap_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    return open_list("pipemap", true, argument, flags, warnings, err);
}

static enum table_got pipemap_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    struct combined *c = self;
    AUTO_BUF struct buf step = BUF_INIT(value->max);

    for (size_t i = 0; i < c->count; i++) {
        enum table_got got = table_get(c->members[i], key, by, value, err);
        if (got != TABLE_FOUND)
            return got;
        buf_clear(&step);
        buf_add(&step, buf_slice(value));
        key = buf_slice(&step);
    }
    return TABLE_FOUND;
}

const struct table_type table_pipemap = {
    .name = "pipemap", .open = pipemap_open, .close = combined_free, .get = pipemap_get, .changed = combined_changed,
    .is_pattern_self = combined_is_pattern,
};

static void *unionmap_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    return open_list("unionmap", true, argument, flags, warnings, err);
}

static enum table_got unionmap_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    struct combined *c = self;
    AUTO_BUF struct buf all = BUF_INIT(value->max);
    bool found = false;

    for (size_t i = 0; i < c->count; i++) {
        enum table_got got = table_get(c->members[i], key, by, value, err);
        if (got == TABLE_FAILED)
            return got;
        if (got == TABLE_NOT_FOUND)
            continue;
        if (found)
            buf_add_char(&all, ',');
        buf_add(&all, buf_slice(value));
        found = true;
    }
    return found ? value_set(value, buf_slice(&all), err) : TABLE_NOT_FOUND;
}

const struct table_type table_unionmap = {
    .name = "unionmap", .open = unionmap_open, .close = combined_free, .get = unionmap_get, .changed = combined_changed,
    .is_pattern_self = combined_is_pattern,
};

static void *randmap_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    return open_list("randmap", false, argument, flags, warnings, err);
}

static enum table_got randmap_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    const struct combined *c = self;
    uint32_t random = 0;

    (void)key;
    (void)by;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint32_t)clock_monotonic_us();
    return value_set(value, slice_text(c->values[random % c->count]), err);
}

const struct table_type table_randmap = {
    .name = "randmap", .is_pattern = true, .open = randmap_open, .close = combined_free, .get = randmap_get,
};
