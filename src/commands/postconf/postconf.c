/* postconf(1): shows and edits the configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/postconf/edit.h"
#include "commands/postconf/master.h"
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/command/command.h"
#include "mail/events/events.h"
#include "mail/params/params.h"

enum { FILE_MOST = 16 << 20, OVERRIDES_MOST = 256 };

struct options {
    bool set_only, defaults, no_name, no_value, edit, remove, master, expand;
    const char *config;
    struct params_override overrides[OVERRIDES_MOST];
    size_t override_count;
};

static NORETURN void usage(void)
{
    event_fatal("usage: postconf [-c config_dir] [-dhHnx] [-o name=value] [name...] | -e name=value... | -X name... | -M [-n]");
}

static void add_override(struct options *o, const char *text)
{
    slice rest = slice_text(text), name;

    if (o->override_count == OVERRIDES_MOST || !cut_until(&rest, '=', &name))
        usage();
    o->overrides[o->override_count++] = (struct params_override){slice_trim(name), slice_trim(rest)};
}

static void parse_options(int argc, char **argv, struct options *o)
{
    int c;

    while ((c = getopt(argc, argv, "c:deFfhHMno:vxX")) > 0)
        switch (c) {
        case 'c':
            o->config = optarg;
            break;
        case 'd':
            o->defaults = true;
            break;
        case 'e':
            o->edit = true;
            break;
        case 'h':
            o->no_name = true;
            break;
        case 'H':
            o->no_value = true;
            break;
        case 'M':
            o->master = true;
            break;
        case 'n':
            o->set_only = true;
            break;
        case 'o':
            add_override(o, optarg);
            break;
        case 'x':
            o->expand = true;
            break;
        case 'X':
            o->remove = true;
            break;
        case 'f':
        case 'v':
            break;
        default:
            usage();
        }
}

/* ---- showing ---- */

static void show(const struct options *o, struct params *p, const char *name, const char *value)
{
    AUTO_BUF struct buf expanded = BUF_INIT(FILE_MOST);
    struct err err;

    if (o->expand && !param_is_raw(slice_text(name))) {
        if (!params_expand(p, slice_text(value), &expanded, &err))
            event_fatal("%s: %s", name, err.text);
        value = buf_text(&expanded);
    }
    if (o->no_value)
        (void)printf("%s\n", name);
    else if (o->no_name)
        (void)printf("%s\n", value);
    else
        (void)printf("%s =%s%s\n", name, value[0] != '\0' ? " " : "", value);
}

static const char *value_of(const struct options *o, struct params *p, slice name)
{
    const char *set = o->defaults ? NULL : conf_raw(&p->conf, name);

    return set != NULL ? set : params_default(p, name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All names there are: known ones, and with -n or without -d those that main.cf sets besides. */
static void show_all(const struct options *o, struct params *p, const char *directory)
{
    const char **names = xcalloc(param_row_count + p->conf.raw.count, sizeof *names);
    size_t count = 0;

    for (size_t i = 0; i < param_row_count; i++)
        if (!o->set_only || conf_raw(&p->conf, slice_text(param_rows[i].name)) != NULL)
            names[count++] = param_rows[i].name;
    MAP_EACH(e, &p->conf.raw)
        if (!o->defaults && params_default(p, map_key(e)) == NULL)
            event_warning("%s/main.cf: unused parameter: %s=%s", directory, e->key, (const char *)e->value);
        else if (!o->defaults) {
            bool known = false;

            for (size_t i = 0; i < param_row_count && !known; i++)
                known = strcmp(param_rows[i].name, e->key) == 0;
            if (!known)
                names[count++] = e->key;
        }
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        show(o, p, names[i], value_of(o, p, slice_text(names[i])));
    free(names);
}

static void show_named(const struct options *o, struct params *p, const char *name)
{
    const char *value = value_of(o, p, slice_text(name));

    if (value == NULL)
        event_warning("%s: unknown parameter", name);
    else if (!o->set_only || conf_raw(&p->conf, slice_text(name)) != NULL)
        show(o, p, name, value);
}

/* ---- editing ---- */

static void edit(const struct options *o, const char *directory, char **arguments)
{
    AUTO_BUF struct buf path = BUF_INIT(4096), text = BUF_INIT(FILE_MOST);
    struct err err;

    (void)buf_addf(&path, "%s/main.cf", directory);
    if (!file_read_path(buf_text(&path), &text, &err))
        event_fatal("%s", err.text);
    for (char **a = arguments; *a != NULL; a++) {
        AUTO_BUF struct buf out = BUF_INIT(FILE_MOST);
        slice value = slice_text(*a), name;

        if (o->remove)
            name = slice_trim(value);
        else if (!cut_until(&value, '=', &name))
            event_fatal("missing '=' after attribute name: \"%s\"", *a);
        name = slice_trim(name);
        if (name.n == 0 || slice_find(value, '\n') != SLICE_NONE)
            event_fatal("bad name or value: \"%s\"", *a);
        if (!main_cf_edit(buf_slice(&text), name, slice_trim(value), o->remove, &out))
            event_fatal("%s: too large", buf_text(&path));
        buf_clear(&text);
        (void)buf_add(&text, buf_slice(&out));
    }
    if (!file_replace(buf_text(&path), buf_slice(&text), &err))
        event_fatal("%s", err.text);
}

static const char *directory_of(const struct options *o, struct buf *out)
{
    struct err err;

    if (!params_config_directory(o->config, false, out, &err))
        event_fatal("%s", err.text);
    return buf_text(out);
}

int main(int argc, char **argv)
{
    static struct options o; /* large */
    AUTO_BUF struct buf directory = BUF_INIT(4096);
    struct params *p;
    struct err err;

    command_begin("postconf", 1, COMMAND_QUIET_LOG);
    parse_options(argc, argv, &o);
    if (o.edit || o.remove) {
        if (optind == argc || o.master)
            usage();
        edit(&o, directory_of(&o, &directory), argv + optind);
        return 0;
    }
    if (o.master) {
        master_show(directory_of(&o, &directory), argv + optind);
        return 0;
    }
    p = params_read(directory_of(&o, &directory), !o.defaults, o.overrides, o.override_count, &err);
    if (p == NULL)
        event_fatal("%s", err.text);
    if (optind == argc)
        show_all(&o, p, buf_text(&directory));
    for (int i = optind; i < argc; i++)
        show_named(&o, p, argv[i]);
    return 0;
}
