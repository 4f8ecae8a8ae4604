#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "support/master/master.h"

static void add(struct child_arguments *a, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct child_arguments *a, const char *format, ...)
{
    va_list args;

    if (a->count + 1 >= COUNT_OF(a->argv))
        return;
    va_start(args, format);
    if (vasprintf(&a->argv[a->count], format, args) < 0)
        bug("out of memory for arguments");
    va_end(args);
    a->argv[++a->count] = NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* '-' in a yes/no column is its default. */
static bool yes(enum master_yesno column, bool standard)
{
    return column == MASTER_DEFAULT ? standard : column == MASTER_YES;
}

void child_arguments_make(const struct service_state *s, struct child_arguments *out)
{
    const struct master_row *r = &s->row;
    int64_t level = 0;
    bool old_defaults = !compat_level_parse(slice_text(master.params->compatibility_level), &level) || level < 1;

    *out = (struct child_arguments){.count = 0};
    add(out, "%s", base_name(r->command));
    if (r->process_limit == 1)
        add(out, "-l");
    if (r->process_limit == 0)
        add(out, "-z");
    if (strcmp(r->service, base_name(r->command)) != 0)
        add(out, "-n"), add(out, "%s", r->service);
    add(out, "-t");
    add(out, "%s", master_type_name(r->type));
    if (master.foreground)
        add(out, "-d");
    if (master.verbose)
        add(out, "-v");
    if (yes(r->unprivileged, true))
        add(out, "-u");
    if (yes(r->chroot, old_defaults))
        add(out, "-c");
    if (s->reachable && s->process_limit != 1)
        add(out, "-o"), add(out, "stress=");
    if (s->listener_count > 1)
        add(out, "-s"), add(out, "%zu", s->listener_count);
    for (int i = 0; i < r->argc; i++)
        add(out, "%s", r->argv[i]);
}

void child_arguments_done(struct child_arguments *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->argv[i]);
}

struct environment {
    char **list;
    size_t count;
};

static void put(struct environment *e, slice name, const char *value)
{
    char *pair;

    for (size_t i = 0; i < e->count; i++)
        if (slice_starts(slice_text(e->list[i]), name) && e->list[i][name.n] == '=')
            return; /* the first one wins */
    if (asprintf(&pair, "%.*s=%s", S_ARG(name), value) < 0)
        bug("out of memory for the environment");
    e->list = xrealloc_array(e->list, e->count + 3, sizeof *e->list); /* GENERATION and the end follow */
    e->list[e->count++] = pair;
    e->list[e->count] = NULL;
}

char **environment_make(const struct params *p, const char *config_directory)
{
    slice imports = slice_text(p->import_environment), word;
    struct environment e = {0};

    put(&e, S("MAIL_CONFIG"), config_directory);
    put(&e, S("MAIL_LOGTAG"), p->syslog_name);
    while (cut_word(&imports, ", \t\r\n", &word)) {
        slice name;

        if (cut_until(&word, '=', &name)) {
            char *value = xstrndup(word.p, word.n);

            put(&e, name, value);
            free(value);
        } else {
            char *key = xstrndup(word.p, word.n);
            const char *value = getenv(key);

            if (value != NULL)
                put(&e, word, value);
            free(key);
        }
    }
    if (p->maillog_file[0] != '\0') {
        put(&e, S("POSTLOG_SERVICE"), p->postlog_service_name);
        put(&e, S("POSTLOG_HOSTNAME"), p->myhostname);
    }
    return e.list;
}

void environment_free(char **environment)
{
    for (size_t i = 0; environment[i] != NULL; i++)
        free(environment[i]);
    free(environment);
}
