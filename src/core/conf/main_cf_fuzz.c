#include <stdlib.h>

#include "core/base/bug.h"
#include "core/conf/main_cf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *fallback(void *context, slice name)
{
    (void)context;
    return slice_eq(name, S("default")) ? "${a?{$b}:{$c}}" : NULL;
}

static void read_lists_and_numbers(slice text)
{
    slice item, list = text;
    struct err err;
    bool braced, yes;
    int64_t n;

    while (conf_next_item(&list, ", \t\r\n", &item, &braced, &err) == CONF_ITEM) {
        BUG_IF(item.p < text.p || item.p + item.n > text.p + text.n);
        (void)conf_parse_bool(item, &yes);
        (void)conf_parse_int(item, &n);
        (void)conf_parse_time(item, 's', &n);
        (void)conf_parse_level(item, &n);
    }
}

/* Reads a main.cf, expands each value, and checks that what was read prints to the same table. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf printed = BUF_INIT(1 << 22);
    struct conf c, again;
    struct err err;

    conf_init(&c);
    conf_init(&again);
    read_lists_and_numbers(slice_of(data, size));
    if (conf_read_text(&c, "main.cf", slice_of(data, size), &err)) {
        MAP_EACH(e, &c.raw) {
            AUTO_BUF struct buf out = BUF_INIT(1 << 16);

            (void)!conf_expand(&c, fallback, NULL, e->key, slice_text(e->value), &out, &err);
            buf_addf(&printed, "%s = %s\n", e->key, (const char *)e->value);
        }
        BUG_IF(!conf_read_text(&again, "main.cf", buf_slice(&printed), &err));
        BUG_IF(again.raw.count != c.raw.count);
        MAP_EACH(e, &c.raw)
            BUG_IF(strcmp(conf_raw(&again, map_key(e)), e->value) != 0);
    }
    conf_done(&c);
    conf_done(&again);
    return 0;
}
