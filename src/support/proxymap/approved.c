#include "support/proxymap/approved.h"

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/conf/main_cf.h"

enum { CACHE_MODE = 0600 };

void approved_init(struct approved *a, slice list, bool writable)
{
    struct err err;
    bool braced;
    slice item;

    *a = (struct approved){.writable = writable};
    map_init(&a->names);
    while (conf_next_item(&list, ", \t\r\n", &item, &braced, &err) == CONF_ITEM)
        if (cut_prefix(&item, S("proxy:")) && map_get(&a->names, item) == NULL)
            (void)map_set(&a->names, item, xcalloc(1, sizeof(struct approved_table)));
}

/* Written at once, locked for one change at a time: others may have it open too. */
static void open_writer(struct approved_table *t, slice name)
{
    static const struct table_write_options how = {.flags = TABLE_WRITE_SHARED, .mode = CACHE_MODE};
    struct err err;

    if (!table_can_write(slice_head(name, slice_find(name, ':'))))
        (void)err_set(&t->problem, ERR_CONFIG, "%.*s map requires O_RDONLY access mode", S_ARG(name));
    else
        t->writer = table_writer_open_as(name, &how, &err);
    if (t->problem.kind == ERR_NONE && t->writer == NULL)
        t->problem = err;
}

static void open_reader(struct approved_table *t, slice name, unsigned flags)
{
    struct err err;

    t->reader = table_open(name, flags, &err);
    if (t->reader == NULL)
        t->problem = err;
    else if (table_problem(t->reader) != NULL)
        t->problem = *table_problem(t->reader);
}

struct approved_table *approved_get(struct approved *a, slice name, unsigned flags, bool *first)
{
    struct approved_table *t = map_get(&a->names, name);

    *first = t != NULL && !t->opened;
    if (!*first)
        return t;
    t->opened = true;
    if (a->writable)
        open_writer(t, name);
    else
        open_reader(t, name, flags);
    return t;
}

enum table_got approved_lookup(struct approved_table *t, slice name, slice key, deadline by, struct buf *value,
                               struct err *err)
{
    if (t->problem.kind == ERR_NONE && t->writer != NULL)
        return table_writer_get(t->writer, key, value, err);
    if (t->problem.kind == ERR_NONE)
        return table_get(t->reader, key, by, value, err);
    (void)err_set(err, ERR_TEMPORARY, "%.*s is unavailable. %s", S_ARG(name), t->problem.text);
    return TABLE_FAILED;
}

bool approved_is_pattern(const struct approved_table *t)
{
    return t->problem.kind != ERR_NONE || (t->reader != NULL && table_is_pattern(t->reader));
}

bool approved_changed(void *approved, struct buf *name)
{
    struct approved *a = approved;

    MAP_EACH(e, &a->names)
    {
        const struct approved_table *t = e->value;

        if (t->reader != NULL && table_changed(t->reader)) {
            (void)buf_add(name, map_key(e));
            return true;
        }
    }
    return false;
}
