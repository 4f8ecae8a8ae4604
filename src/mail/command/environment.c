#include <errno.h>
#include <stdlib.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/command/command.h"
#include "mail/events/events.h"

enum { KEPT_MOST = 64, NAME_BYTES = 256 };

/* What is kept is copied first: the names lie in memory that clearenv() leaves alone, their values may not. */
void command_clean_environment(const struct params *p)
{
    slice list = slice_text(p->import_environment), item;
    AUTO_BUF struct buf kept = BUF_INIT(1U << 20);
    struct err err;
    bool braced;
    size_t count = 0;

    while (conf_next_item(&list, ", \t\r\n", &item, &braced, &err) == CONF_ITEM && count < KEPT_MOST) {
        size_t at = slice_find(item, '=');
        char name[NAME_BYTES];
        const char *value;

        if (at != SLICE_NONE) {
            (void)buf_add(&kept, slice_trim(item));
            (void)buf_add_char(&kept, '\0');
            count++;
        } else if (text_from_slice(item, name, sizeof name) && (value = getenv(name)) != NULL) {
            (void)buf_addf(&kept, "%s=%s", name, value);
            (void)buf_add_char(&kept, '\0');
            count++;
        }
    }
    if (kept.overflow || clearenv() != 0)
        event_fatal("the environment is too large");
    for (slice rest = buf_slice(&kept), pair; cut_until(&rest, '\0', &pair);) {
        char name[NAME_BYTES];
        size_t at = slice_find(pair, '=');

        if (text_from_slice(slice_trim(slice_head(pair, at)), name, sizeof name) &&
            setenv(name, slice_skip(pair, at + 1).p, 1) != 0)
            event_fatal("set environment: %s", strerror(errno));
    }
    if (setenv("PATH", "/usr/bin:/bin", 1) != 0)
        event_fatal("set environment: %s", strerror(errno));
}
