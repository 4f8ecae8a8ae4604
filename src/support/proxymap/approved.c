#include "support/proxymap/approved.h"

#include "core/base/cut.h"
#include "core/conf/main_cf.h"

void approved_init(struct approved *a, slice list)
{
    struct err err;
    bool braced;
    slice item;

    *a = (struct approved){0};
    map_init(&a->names);
    while (conf_next_item(&list, ", \t\r\n", &item, &braced, &err) == CONF_ITEM)
        if (cut_prefix(&item, S("proxy:")))
            (void)map_set(&a->names, item, a); /* the mark: approved, not yet open */
}

bool approved_has(const struct approved *a, slice name)
{
    return map_get(&a->names, name) != NULL;
}

enum table_got approved_get(struct approved *a, slice name, unsigned flags, struct table **out, struct err *err)
{
    void *known = map_get(&a->names, name);
    struct table *t;

    if (known == NULL)
        return TABLE_NOT_FOUND;
    if (known != a) {
        *out = known;
        return TABLE_FOUND;
    }
    t = table_open(name, flags, err);
    if (t == NULL)
        return TABLE_FAILED;
    (void)map_set(&a->names, name, t);
    *out = t;
    return TABLE_FOUND;
}

bool approved_changed(void *approved, struct buf *name)
{
    struct approved *a = approved;

    MAP_EACH(e, &a->names)
        if (e->value != a && table_changed(e->value)) {
            (void)buf_add(name, map_key(e));
            return true;
        }
    return false;
}
