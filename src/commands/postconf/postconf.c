/* postconf(1): shows and edits the configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/postconf/edit.h"
#include "commands/postconf/master.h"
#include "commands/postconf/names.h"
#include "commands/postconf/options.h"
#include "commands/postconf/rows.h"
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/command/command.h"
#include "mail/events/events.h"
#include "mail/params/params.h"
#include "mail/table/table.h"

enum { FILE_MOST = 16 << 20, TYPES_MOST = 100 };

/* ---- showing ---- */

static void show_folded(const char *name, const char *value)
{
    AUTO_BUF struct buf text = BUF_INIT(FILE_MOST);

    fold_value(slice_text(name), slice_text(value), &text);
    (void)printf("%s\n", buf_text(&text));
}

/* Runs of blanks, as the continuation lines of main.cf leave them, become one. */
static void squeeze(slice value, struct buf *out)
{
    slice word;

    while (cut_word(&value, " \t\r\n", &word)) {
        if (out->n > 0)
            (void)buf_add_char(out, ' ');
        (void)buf_add(out, word);
    }
}

static void show(const struct options *o, struct params *p, const char *name, const char *value)
{
    AUTO_BUF struct buf expanded = BUF_INIT(FILE_MOST), text = BUF_INIT(FILE_MOST);
    struct err err;

    if (o->expand && !param_is_raw(slice_text(name))) {
        if (!params_expand(p, slice_text(value), &expanded, &err))
            event_fatal("%s: %s", name, err.text);
        value = buf_text(&expanded);
    }
    squeeze(slice_text(value), &text);
    if (o->no_value)
        (void)printf("%s\n", name);
    else if (o->fold)
        show_folded(o->no_name ? "" : name, buf_text(&text));
    else if (o->no_name)
        (void)printf("%s\n", buf_text(&text));
    else
        (void)printf("%s =%s%s\n", name, text.n > 0 ? " " : "", buf_text(&text));
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

static bool is_wanted(const struct options *o, const struct names *n, slice name)
{
    switch (name_class(n, name)) {
    case NAME_BUILTIN:
        return (o->classes & CLASS_BUILTIN) != 0;
    case NAME_SERVICE:
        return (o->classes & CLASS_SERVICE) != 0;
    case NAME_USER:
        return (o->classes & CLASS_USER) != 0 && !o->defaults && conf_raw(&n->params->conf, name) != NULL;
    default:
        return false;
    }
}

struct name_list {
    const char **names;
    size_t count, room;
};

static void add_name(struct name_list *l, const char *name)
{
    if (l->count == l->room) {
        l->room = l->room * 2 + 1000;
        l->names = xrealloc_array(l->names, l->room, sizeof *l->names);
    }
    l->names[l->count++] = name;
}

/* All names there are, sorted; each once. */
static void show_all(const struct options *o, struct names *n)
{
    AUTO_BUF struct buf of_service = BUF_INIT(1000);
    struct params *p = n->params;
    struct name_list l = {0};
    struct map services;

    map_init(&services);
    for (size_t i = 0; name_of_service(n, i, &of_service); i++)
        (void)map_set(&services, buf_slice(&of_service), &services);
    for (size_t i = 0; i < param_row_count; i++)
        add_name(&l, param_name(i));
    MAP_EACH (e, &services)
        add_name(&l, e->key);
    MAP_EACH (e, &p->conf.raw)
        if (name_class(n, map_key(e)) == NAME_USER)
            add_name(&l, e->key);
    qsort(l.names, l.count, sizeof *l.names, by_name);
    for (size_t i = 0; i < l.count; i++)
        if (is_wanted(o, n, slice_text(l.names[i])) && (i == 0 || strcmp(l.names[i], l.names[i - 1]) != 0) &&
            (!o->set_only || conf_raw(&p->conf, slice_text(l.names[i])) != NULL))
            show(o, p, l.names[i], value_of(o, p, slice_text(l.names[i])));
    free(l.names);
    map_done(&services, NULL);
}

static void show_named(const struct options *o, const struct names *n, const char *name)
{
    const char *value =
        name_class(n, slice_text(name)) == NAME_UNKNOWN ? NULL : value_of(o, n->params, slice_text(name));

    if (value == NULL)
        event_warning("%s: unknown parameter", name);
    else if (!o->set_only || conf_raw(&n->params->conf, slice_text(name)) != NULL)
        show(o, n->params, name, value);
}

static void show_list(const struct options *o)
{
    const char *names[TYPES_MOST];
    size_t count = 0;

    for (; o->map_types && count < TYPES_MOST && table_types[count] != NULL; count++)
        names[count] = table_types[count]->name;
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        (void)printf("%s\n", names[i]);
    if (o->lock_types)
        (void)printf("flock\nfcntl\ndotlock\n");
}

/* bounce(8) has them. */
static NORETURN void show_templates(const struct options *o, char **files)
{
    AUTO_BUF struct buf program = BUF_INIT(4096), from = BUF_INIT(4096);
    struct params *p = command_configure(o->config);
    const char *service = o->templates ? "-SVndump_templates" : "-SVnexpand_templates";
    const char *arguments[8] = {"bounce", service, "-o", "queue_directory=."};

    if (files[0] != NULL && files[1] != NULL)
        event_fatal("options -b and -t require at most one template file");
    (void)buf_addf(&program, "%s/bounce", p->daemon_directory);
    (void)buf_addf(&from, "bounce_template_file=%s", files[0] == NULL ? "" : files[0]);
    if (files[0] != NULL) {
        arguments[4] = "-o";
        arguments[5] = buf_text(&from);
    }
    (void)execv(buf_text(&program), (char **)arguments);
    event_fatal("execute %s: %m", buf_text(&program));
}

/* ---- editing ---- */

static enum master_view view_of(const struct options *o)
{
    return o->fields ? MASTER_FIELDS : o->parameters ? MASTER_PARAMETERS : MASTER_ROWS;
}

static bool is_master(const struct options *o)
{
    return o->rows || o->fields || o->parameters;
}

/* One change of main.cf. */
static bool edit_main(const struct options *o, const char *argument, slice text, struct buf *out, struct err *err)
{
    enum main_cf_change change = o->remove ? MAIN_CF_REMOVE : o->comment_out ? MAIN_CF_COMMENT_OUT : MAIN_CF_SET;
    slice value = slice_text(argument), name = value;

    if (change == MAIN_CF_SET && !cut_until(&value, '=', &name))
        return err_set(err, ERR_SYNTAX, "missing '=' after attribute name: \"%s\"", argument);
    name = slice_trim(name);
    if (name.n == 0 && change == MAIN_CF_SET)
        return err_set(err, ERR_SYNTAX, "missing attribute name: \"%s\"", argument);
    if (name.n == 0 || slice_find(value, '\n') != SLICE_NONE)
        return err_set(err, ERR_SYNTAX, "bad name or value: \"%s\"", argument);
    return main_cf_edit(text, name, slice_trim(value), change, out) || err_set(err, ERR_LIMIT, "main.cf: too large");
}

static bool edit_master(const struct options *o, const char *argument, slice text, struct buf *out, struct err *err)
{
    enum master_change change = o->remove ? MASTER_REMOVE : o->comment_out ? MASTER_COMMENT_OUT : MASTER_SET;
    bool matched;

    if (!master_edit(text, view_of(o), change, slice_text(argument), out, &matched, err))
        return false;
    if (!matched && change == MASTER_SET && !o->rows)
        event_warning("unmatched service_name/type: \"%s\"", argument);
    return true;
}

/* The file at PATH as the ARGUMENTS want it. */
static bool edited(const struct options *o, const char *path, char **arguments, struct buf *text, struct err *err)
{
    if (!file_read_path(path, text, err))
        return false;
    for (char **a = arguments; *a != NULL; a++) {
        AUTO_BUF struct buf out = BUF_INIT(FILE_MOST);

        if (!(is_master(o) ? edit_master : edit_main)(o, *a, buf_slice(text), &out, err))
            return false;
        buf_clear(text);
        (void)buf_add(text, buf_slice(&out));
    }
    return true;
}

static void edit(const struct options *o, const char *directory, char **arguments)
{
    AUTO_BUF struct buf path = BUF_INIT(4096), text = BUF_INIT(FILE_MOST);
    struct file_edit e;
    struct err err;
    bool ok;

    (void)buf_addf(&path, "%s/%s", directory, is_master(o) ? "master.cf" : "main.cf");
    ok = file_edit_begin(&e, buf_text(&path), &err) && edited(o, buf_text(&path), arguments, &text, &err) &&
         file_edit_replace(&e, buf_slice(&text), &err);
    file_edit_done(&e);
    if (!ok)
        event_fatal("%s", err.text);
}

static const char *directory_of(const struct options *o, struct buf *out)
{
    struct err err;

    if (!params_config_directory(o->config, false, out, &err))
        event_fatal("%s", err.text);
    return buf_text(out);
}

static void show_what_is_asked(const struct options *o, const char *directory, char **arguments)
{
    struct names names;
    struct params *p;
    struct err err;

    p = params_read(directory, !o->defaults, o->overrides, o->override_count, &err);
    if (p == NULL)
        event_fatal("%s", err.text);
    event_warning_lines(buf_slice(&p->conf.warnings));
    names_init(&names, p, directory);
    if (!o->defaults)
        names_warn_undefined(&names, directory);
    if (is_master(o)) {
        const struct master_look look = {view_of(o), o->fold, o->no_name, o->no_value};

        master_show(directory, &look, arguments);
    } else if (arguments[0] == NULL) {
        show_all(o, &names);
    }
    for (char **a = arguments; !is_master(o) && *a != NULL; a++)
        show_named(o, &names, *a);
    (void)fflush(stdout);
    if (!o->defaults && !is_master(o))
        names_warn_unused_main(&names, directory);
    if (!o->defaults)
        names_warn_unused_master(&names, directory);
    names_done(&names);
    params_free(p);
}

static const char help[] =
    "usage: postconf [-d] [-n] [-h] [-H] [-x] [-f] [-C class] [-o name=value] [name...]   show parameters\n"
    "       postconf [-e] name=value... | -# name... | -X name...                        change main.cf\n"
    "       postconf -M | -F | -P [-e] [-# | -X] [service/type...]                        master.cf: rows, fields, -o "
    "settings\n"
    "       postconf -t | -b [file]                                                       words of notices, as they "
    "are or "
    "expanded\n"
    "       postconf -m | -l | -p [name...]                                               table types, lock types, "
    "parameters\n"
    "  -c dir       main.cf and master.cf are in dir\n"
    "postconf(1) tells more.\n";

int main(int argc, char **argv)
{
    static struct options o; /* large */
    AUTO_BUF struct buf directory = BUF_INIT(4096);

    command_help(argc, argv, help);
    command_begin("postconf", 1, COMMAND_QUIET_LOG);
    options_parse(argc, argv, &o);
    if (o.lock_types || o.map_types || o.server_sasl || o.client_sasl) {
        show_list(&o);
        return 0;
    }
    if (o.templates || o.expanded_templates)
        show_templates(&o, argv + optind);
    if (o.edit || o.remove || o.comment_out) {
        if (optind == argc)
            event_fatal(o.edit ? "-e requires name=value argument" : "missing service argument");
        edit(&o, directory_of(&o, &directory), argv + optind);
        return 0;
    }
    show_what_is_asked(&o, directory_of(&o, &directory), argv + optind);
    return 0;
}
