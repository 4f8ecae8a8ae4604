/* $user, $home and the like in forward_path, luser_relay, command_execution_directory. */
#include "core/conf/main_cf.h"
#include "deliver/local/local.h"
#include "mail/events/events.h"

enum { VALUE_MOST = 64 * 1024 };

void macros_filter(slice text, const char *filter, struct buf *out)
{
    size_t n = strlen(filter);

    for (size_t i = 0; i < text.n; i++)
        (void)buf_add_char(out, memchr(filter, text.p[i], n) != NULL ? text.p[i] : '_');
}

/* A dollar in a value stays one: what a sender wrote is never expanded. */
static void set(struct conf *c, const char *name, slice value, const char *filter)
{
    AUTO_BUF struct buf clean = BUF_INIT(VALUE_MOST), kept = BUF_INIT(2 * VALUE_MOST);

    if (filter[0] != '\0')
        macros_filter(value, filter, &clean);
    else
        (void)buf_add(&clean, value);
    for (size_t i = 0; i < clean.n; i++) {
        if (clean.p[i] == '$')
            (void)buf_add_char(&kept, '$');
        (void)buf_add_char(&kept, clean.p[i]);
    }
    conf_set(c, slice_text(name), buf_slice(&kept));
}

bool macros_expand(const struct name *n, const struct user *u, const char *parameter, const char *text,
                   const char *filter, struct buf *out)
{
    slice delimiters = slice_text(world.params->recipient_delimiter);
    AUTO_BUF struct buf user = BUF_INIT(VALUE_MOST);
    struct conf values;
    struct err err;
    bool ok;

    conf_init(&values);
    (void)table_fold(n->base, &user);
    set(&values, "user", buf_slice(&user), filter);
    set(&values, "local", n->local, filter);
    set(&values, "domain", n->domain, filter);
    set(&values, "recipient", n->address, filter);
    set(&values, "extension", n->extension, filter);
    set(&values, "recipient_delimiter",
        n->base.n < n->local.n ? slice_head(slice_skip(n->local, n->base.n), 1) : slice_head(delimiters, 1), filter);
    set(&values, "home", slice_text(u != NULL ? u->home : ""), filter);
    set(&values, "shell", slice_text(u != NULL ? u->shell : ""), filter);
    ok = conf_expand(&values, NULL, NULL, parameter, slice_text(text), out, &err);
    conf_done(&values);
    if (!ok)
        event_warning("%s", err.text);
    return ok;
}
