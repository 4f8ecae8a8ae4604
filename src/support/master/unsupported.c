#include <stdlib.h>
#include <unistd.h>

#include "core/base/map.h"
#include "mail/events/events.h"
#include "support/master/master.h"

bool program_missing(const struct master_row *row)
{
    char *path = service_program(row);
    bool missing = access(path, X_OK) != 0;

    free(path);
    return missing;
}

/* True when VALUE says what holds anyhow. */
static bool is_default(slice name, slice value)
{
    AUTO_BUF struct buf standard = BUF_INIT(1 << 20), given = BUF_INIT(1 << 20);
    const char *text = params_default(master.params, name);
    struct err ignored;

    return text != NULL && params_expand(master.params, slice_text(text), &standard, &ignored) &&
           params_expand(master.params, value, &given, &ignored) && slice_eq(buf_slice(&standard), buf_slice(&given));
}

static void look_at_row(const struct master_conf *conf, const struct master_row *row)
{
    slice name, value;
    int at = 0, argument;

    if (program_missing(row))
        event_warning("%s: service %s/%s is not offered: there is no program %s", conf->path, row->service,
                      master_type_name(row->type), row->command);
    while (master_row_overrides(row, &at, &name, &value, &argument))
        if (param_is_ineffective(name) && !is_default(name, value))
            event_warning("%s: service %s/%s: parameter %.*s has no effect: it is not supported yet", conf->path, row->service,
                          master_type_name(row->type), S_ARG(name));
}

void warn_unsupported(const struct master_conf *conf)
{
    MAP_EACH(e, &master.params->conf.raw)
    if (param_is_ineffective(map_key(e)) && !is_default(map_key(e), slice_text(e->value)))
        event_warning("%s/main.cf: parameter %.*s has no effect: it is not supported yet", master.config_directory,
                      S_ARG(map_key(e)));
    for (size_t i = 0; i < conf->count; i++)
        look_at_row(conf, &conf->rows[i]);
}
