#include "commands/postconf/names.h"

#include "core/base/cut.h"
#include "mail/events/events.h"

static void note_used(void *context, slice name)
{
    struct names *n = context;

    if (map_get(&n->used, name) == NULL)
        (void)map_set(&n->used, name, n);
}

/* A value's names count only while the value itself does. */
static void scan(struct names *n, slice name, const char *value)
{
    struct err ignored;

    if (value == NULL || param_is_raw(name))
        return;
    if (!conf_scan_names("", slice_text(value), note_used, n, &ignored))
        return; /* whoever uses the value says what is wrong with it */
}

static bool is_builtin(slice name)
{
    return param_find(name) != SLICE_NONE;
}

/* Services through which messages are delivered have parameters of their own. */
static bool delivers(const struct master_row *r)
{
    static const char *const agents[] = {"smtp", "lmtp", "local", "virtual", "pipe", "error", "discard"};

    for (size_t i = 0; i < COUNT_OF(agents); i++)
        if (strcmp(r->command, agents[i]) == 0)
            return true;
    return false;
}

static bool is_of_service(const struct names *n, slice name)
{
    AUTO_BUF struct buf made = BUF_INIT(1000);

    for (size_t i = 0; name_of_service(n, i, &made); i++)
        if (slice_eq(buf_slice(&made), name))
            return true;
    return false;
}

static size_t suffix_count(void)
{
    size_t n = 0;

    while (param_transport_suffix(n) != NULL)
        n++;
    return n;
}

bool name_of_service(const struct names *n, size_t index, struct buf *out)
{
    size_t suffixes = suffix_count();

    for (size_t i = 0; i < n->master.count; i++) {
        const struct master_row *r = &n->master.rows[i];
        /* The last suffix, _time_limit, is of commands that are run. */
        size_t has = suffixes - (strcmp(r->command, "pipe") == 0 ? 0 : 1);

        if (!delivers(r))
            continue;
        if (index < has) {
            buf_clear(out);
            return buf_addf(out, "%s%s", r->service, param_transport_suffix(index));
        }
        index -= has;
    }
    return false;
}

/* A new name that is used makes the names in its value used: until none is found. */
static void scan_until_settled(struct names *n)
{
    size_t before;

    do {
        before = n->used.count;
        MAP_EACH(e, &n->params->conf.raw)
        if (map_get(&n->used, map_key(e)) != NULL || is_builtin(map_key(e)) || is_of_service(n, map_key(e)))
            scan(n, map_key(e), e->value);
    } while (n->used.count > before);
}

void names_init(struct names *n, struct params *p, const char *directory)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    slice name, value;
    struct err err;
    int at, argument;

    *n = (struct names){.params = p};
    map_init(&n->used);
    (void)buf_addf(&path, "%s/master.cf", directory);
    if (!master_conf_read(&n->master, buf_text(&path), &err))
        n->master = (struct master_conf){0};
    for (size_t i = 0; i < param_row_count; i++)
        if (conf_raw(&p->conf, slice_text(param_name(i))) == NULL)
            scan(n, slice_text(param_name(i)), param_default_text(i));
    for (size_t i = 0; i < n->master.count; i++)
        for (at = 0; master_row_overrides(&n->master.rows[i], &at, &name, &value, &argument);) {
            AUTO_BUF struct buf text = BUF_INIT(1 << 20);

            (void)buf_add(&text, value);
            scan(n, name, buf_text(&text));
        }
    scan_until_settled(n);
}

void names_done(struct names *n)
{
    map_done(&n->used, NULL);
    master_conf_done(&n->master);
}

enum name_class name_class(const struct names *n, slice name)
{
    if (is_builtin(name))
        return NAME_BUILTIN;
    if (is_of_service(n, name))
        return NAME_SERVICE;
    return map_get(&n->used, name) != NULL ? NAME_USER : NAME_UNKNOWN;
}

/* ---- warnings ---- */

struct undefined {
    const struct names *names;
    const char *directory;
    slice value;
    struct map *said;
};

/* Does VALUE need NAME?  "${name?text}" and "${name:text}" only ask for it. */
static bool needs(slice value, slice name)
{
    static const char *const opens[] = {"$", "${", "$("};

    for (size_t i = 0; i < COUNT_OF(opens); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        slice rest = value;
        size_t found;

        (void)buf_addf(&text, "%s%.*s", opens[i], S_ARG(name));
        while ((found = slice_find_slice(rest, buf_slice(&text))) != SLICE_NONE) {
            char next = '\0';

            rest = slice_skip(rest, found + text.n);
            next = rest.n > 0 ? rest.p[0] : '\0';
            if (i == 0 ? !ascii_is_alnum(next) && next != '_' : next == '}' || next == ')')
                return true;
        }
    }
    return false;
}

static void look_at_name(void *context, slice name)
{
    struct undefined *u = context;

    if (map_get(u->said, name) != NULL || conf_raw(&u->names->params->conf, name) != NULL || is_builtin(name) ||
        is_of_service(u->names, name) || !needs(u->value, name))
        return;
    (void)map_set(u->said, name, u);
    event_warning("%s/main.cf: undefined parameter: %.*s", u->directory, S_ARG(name));
}

void names_warn_undefined(const struct names *n, const char *directory)
{
    struct map said;
    struct err ignored;

    map_init(&said);
    MAP_EACH(e, &n->params->conf.raw)
    if (!param_is_raw(map_key(e))) {
        struct undefined u = {n, directory, slice_text(e->value), &said};

        if (!conf_scan_names("", u.value, look_at_name, &u, &ignored))
            continue;
    }
    map_done(&said, NULL);
}

void names_warn_unused_main(const struct names *n, const char *directory)
{
    MAP_EACH(e, &n->params->conf.raw)
    if (name_class(n, map_key(e)) == NAME_UNKNOWN)
        event_warning("%s/main.cf: unused parameter: %s=%s", directory, e->key, (const char *)e->value);
}

void names_warn_unused_master(const struct names *n, const char *directory)
{
    slice name, value;
    int at, argument;

    for (size_t i = 0; i < n->master.count; i++)
        for (at = 0; master_row_overrides(&n->master.rows[i], &at, &name, &value, &argument);)
            if (name_class(n, name) == NAME_UNKNOWN)
                event_warning("%s/master.cf: unused parameter: %.*s=%.*s", directory, S_ARG(name), S_ARG(value));
}
