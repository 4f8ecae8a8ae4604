/* postmap(1) and, by that name, postalias(1): make, change and ask lookup tables.  They differ in the text they read
 * and in how a pair is shown. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands/postmap/aliases.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/conf/main_cf.h"
#include "mail/command/command.h"
#include "mail/events/events.h"
#include "mail/table/table.h"

enum { FILE_MOST = 256 << 20, ENTRY_MOST = 16 << 20 };

/* What makes the one program differ from the other. */
struct dialect {
    const char *name, *separator, *complaint;
    bool marks;
    bool (*parse)(slice line, struct buf *key, struct buf *value);
};

struct options {
    const struct dialect *dialect;
    bool incremental, replace, no_warning, list;
    unsigned nul; /* TABLE_WRITE_KEY_NUL, TABLE_WRITE_NO_NUL */
    bool no_fold, keep_root, standard_mode;
    const char *query, *remove, *config;
};

/* "key value", the key lower-cased by the caller unless -f. */
static bool plain_line_parse(slice line, struct buf *key, struct buf *value)
{
    slice k, v;

    buf_clear(key);
    buf_clear(value);
    if (table_line_parse(line, &k, &v) != TABLE_LINE_OK)
        return false;
    return buf_add(key, k) && buf_add(value, v);
}

static const struct dialect map_dialect = {"postmap", "\t", "expected format: key whitespace value", false,
                                           plain_line_parse};
static const struct dialect alias_dialect = {"postalias", ":\t", "need name:value pair", true, alias_line_parse};

static NORETURN void usage(const struct options *o)
{
    event_fatal("usage: %s [-%s] [-c config_dir] [-d key] [-q key] [map_type:]file...", o->dialect->name,
                "Nfinoprsuvw");
}

/* -s, -q and -d exclude each other and themselves. */
static void claim_job(bool *taken)
{
    if (*taken)
        event_fatal("specify only one of -s -q or -d");
    *taken = true;
}

static struct options parse_options(const struct dialect *dialect, int argc, char **argv)
{
    struct options o = {.dialect = dialect};
    bool job = false;
    int c;

    while ((c = getopt(argc, argv, "Nc:d:finopq:rsuUvw")) > 0)
        switch (c) {
        case 'c':
            o.config = optarg;
            break;
        case 'd':
            claim_job(&job);
            o.remove = optarg;
            break;
        case 'i':
            o.incremental = true;
            break;
        case 'f':
            o.no_fold = true;
            break;
        case 'o':
            o.keep_root = true;
            break;
        case 'p':
            o.standard_mode = true;
            break;
        case 'N':
            o.nul = TABLE_WRITE_KEY_NUL;
            break;
        case 'n':
            o.nul = TABLE_WRITE_NO_NUL;
            break;
        case 'q':
            claim_job(&job);
            o.query = optarg;
            break;
        case 'r':
            o.replace = true;
            break;
        case 's':
            claim_job(&job);
            o.list = true;
            break;
        case 'w':
            o.no_warning = true;
            break;
        case '?':
            usage(&o);
        default:
            break;
        }
    return o;
}

/* "file" alone is of default_database_type. */
static void full_name(const struct params *p, const char *argument, struct buf *out)
{
    buf_clear(out);
    if (slice_find(slice_text(argument), ':') == SLICE_NONE)
        (void)buf_addf(out, "%s:%s", p->default_database_type, argument);
    else
        (void)buf_add_text(out, argument);
}

static void put(struct table_writer *w, const struct options *o, struct buf *key, struct buf *value)
{
    struct err err;

    for (size_t i = 0; !o->no_fold && i < key->n; i++)
        key->p[i] = ascii_lower(key->p[i]);

    switch (table_writer_put(w, buf_slice(key), buf_slice(value), o->replace, &err)) {
    case TABLE_PUT_FAILED:
        event_fatal("%s", err.text);
    case TABLE_PUT_DUPLICATE:
        if (!o->no_warning)
            event_warning("%s: duplicate entry: \"%s\"", table_writer_name(w), buf_text(key));
        break;
    default:
        break;
    }
}

/* The marks keep their capitals. */
static void put_text(struct table_writer *w, const struct options *o, const char *key_text, const char *value_text)
{
    AUTO_BUF struct buf key = BUF_INIT(1000), value = BUF_INIT(1000);
    struct options quiet = *o;

    (void)buf_add_text(&key, key_text);
    (void)buf_add_text(&value, value_text);
    quiet.replace = quiet.no_fold = true;
    put(w, &quiet, &key, &value);
}

/* What NIS wanted to find, and the field's tools still expect. */
static void put_marks(const struct params *p, struct table_writer *w, const struct options *o)
{
    char now[40];

    put_text(w, o, "@", "@");
    (void)snprintf(now, sizeof now, "%010ld", (long)time(NULL));
    put_text(w, o, "YP_LAST_MODIFIED", now);
    put_text(w, o, "YP_MASTER_NAME", p->myhostname);
}

/* A table belongs to whoever owns its source, is made with that user's rights, and is as private as the source. */
static mode_t become_owner(const struct options *o, int fd, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        event_fatal("examine %s: %m", path);
    if (geteuid() == 0 && st.st_uid != 0 && !o->keep_root &&
        (setgroups(0, NULL) != 0 || setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0))
        event_fatal("act as the owner of %s: %m", path);
    return o->standard_mode ? 0644 : st.st_mode & 0666;
}

static void become_root_again(void)
{
    if (getuid() == 0 && (seteuid(0) != 0 || setegid(0) != 0))
        event_fatal("become root again: %m");
}

/* Why a line of a plain table has not been taken, or what is odd about one that has. */
static void complain(const struct options *o, const char *path, int number, slice line, bool taken)
{
    slice key, value;
    enum table_line kind = table_line_parse(line, &key, &value);

    if (taken && !o->dialect->marks && key.n > 0 && key.p[key.n - 1] == ':')
        event_warning("%s, line %d: record is in \"key: value\" format; is this an alias file?", path, number);
    if (taken)
        return;
    if (!o->dialect->marks && kind == TABLE_LINE_UNBALANCED)
        event_warning("%s, line %d: unbalanced '\"' in '%.*s' -- ignoring this line", path, number,
                      S_ARG(slice_trim(line)));
    else
        event_warning("%s, line %d: %s", path, number, o->dialect->complaint);
}

static void put_lines(struct table_writer *w, const struct options *o, const char *path, slice rest)
{
    AUTO_BUF struct buf line = BUF_INIT(ENTRY_MOST), key = BUF_INIT(ENTRY_MOST), value = BUF_INIT(ENTRY_MOST);
    int line_number = 0, first_line;

    while (conf_next_line(&rest, &line_number, &first_line, &line)) {
        slice text = slice_trim_end(slice_head(buf_slice(&line), slice_find(buf_slice(&line), '\0')));
        bool taken;

        if (text.n > 0 && ascii_is_space(text.p[0])) { /* it continues nothing */
            event_warning("%s: logical line must not start with whitespace: \"%.*s\"", path, S_ARG(text));
            continue;
        }
        taken = o->dialect->parse(text, &key, &value);
        complain(o, path, first_line, text, taken);
        if (taken)
            put(w, o, &key, &value);
    }
}

static bool is_known_type(slice type)
{
    for (size_t i = 0; table_types[i] != NULL; i++)
        if (slice_eq(slice_text(table_types[i]->name), type))
            return true;
    return false;
}

/* From the file, or with -i from standard input on top of what is there. */
static void build(const struct params *p, const struct options *o, const char *argument)
{
    AUTO_BUF struct buf name = BUF_INIT(4096), text = BUF_INIT(FILE_MOST);
    struct table_write_options how = {.flags = o->nul | (o->incremental ? 0U : TABLE_WRITE_TRUNCATE)};
    struct table_writer *w;
    const char *path;
    AUTO_FD int fd = -1;
    struct err err;
    slice type;

    full_name(p, argument, &name);
    path = strchr(buf_text(&name), ':') + 1;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && !(o->incremental && errno == ENOENT))
        event_fatal("open %s: %m", path);
    if (fd >= 0)
        how.mode = become_owner(o, fd, path);
    if (!file_read_all(o->incremental ? STDIN_FILENO : fd, &text, &err))
        event_fatal("%s: %s", o->incremental ? "standard input" : path, err.text);
    type = slice_head(buf_slice(&name), slice_find(buf_slice(&name), ':'));
    if (!table_can_write(type) && is_known_type(type))
        event_fatal("unsupported dictionary type: %.*s does not support bulk-mode creation.", S_ARG(type));
    w = table_writer_open_as(buf_slice(&name), &how, &err);
    if (w == NULL)
        event_fatal("%s", err.text);
    put_lines(w, o, o->incremental ? "standard input" : path, buf_slice(&text));
    if (o->dialect->marks)
        put_marks(p, w, o);
    if (!table_writer_close(w, &err))
        event_fatal("%s", err.text);
    become_root_again();
}

/* ---- asking ---- */

static bool show_pair(void *context, slice key, slice value)
{
    const struct options *o = context;

    if (key.n > 0 && key.p[key.n - 1] == '\0')
        key.n--;
    if (value.n > 0 && value.p[value.n - 1] == '\0')
        value.n--;
    (void)printf("%.*s%s%.*s\n", S_ARG(key), o->dialect->separator, S_ARG(value));
    return true;
}

/* A table that can be asked, or the end. */
static struct table *open_to_ask(const struct options *o, slice name)
{
    struct table *t;
    struct err err;
    slice warnings, line;

    t = table_open(name, (o->no_fold ? 0 : TABLE_FOLD) | TABLE_TRY_NUL | TABLE_NO_LOOP | TABLE_NO_PROXY, &err);
    if (t == NULL)
        event_fatal("%s", err.text);
    if (table_problem(t) != NULL)
        event_fatal("%s", table_problem(t)->text);
    warnings = table_warnings(t);
    while (cut_field(&warnings, '\n', &line))
        event_warning("%.*s", S_ARG(line));
    return t;
}

static NORETURN void fail_query(const char *name, const struct err *err)
{
    if (slice_starts(slice_text(err->text), S("table ")))
        event_fatal("%s", err->text);
    event_fatal("table %s: %s", name, err->text);
}

static bool query_one(const struct params *p, const struct options *o, const char *argument, slice key, bool with_key)
{
    AUTO_BUF struct buf name = BUF_INIT(4096), value = BUF_INIT(ENTRY_MOST);
    struct table *t;
    struct err err;
    enum table_got got;

    full_name(p, argument, &name);
    t = open_to_ask(o, buf_slice(&name));
    got = table_get(t, key, NEVER, &value, &err);
    if (got == TABLE_FAILED)
        fail_query(buf_text(&name), &err);
    if (got == TABLE_FOUND && value.n == 0) {
        event_warning("table %s: key %.*s: empty string result is not allowed", buf_text(&name), S_ARG(key));
        event_warning("table %s should return NO RESULT in case of NOT FOUND", buf_text(&name));
    }
    table_close(t);
    if (got == TABLE_FOUND && with_key)
        (void)printf("%.*s%s%s\n", S_ARG(key), o->dialect->separator, buf_text(&value));
    else if (got == TABLE_FOUND)
        (void)printf("%s\n", buf_text(&value));
    return got == TABLE_FOUND;
}

/* The first of TABLES that knows KEY answers. */
static bool query_tables(const struct params *p, const struct options *o, char **tables, slice key, bool with_key)
{
    for (; *tables != NULL; tables++)
        if (query_one(p, o, *tables, key, with_key))
            return true;
    return false;
}

/* The query "-": keys from standard input. */
static bool query(const struct params *p, const struct options *o, char **tables)
{
    char line[2048];
    bool found = false;

    if (strcmp(o->query, "-") != 0)
        return query_tables(p, o, tables, slice_text(o->query), false);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = query_tables(p, o, tables, slice_text(line), true) || found;
    }
    return found;
}

static struct table_writer *open_to_delete(slice name)
{
    static const struct table_write_options how = {.flags = TABLE_WRITE_EXISTING};
    slice type = slice_head(name, slice_find(name, ':'));
    struct table_writer *w;
    struct err err;

    if (slice_eq(type, S("static")))
        event_fatal("table %.*s: delete operation is not supported", S_ARG(name));
    if (!table_can_write(type) && is_known_type(type))
        event_fatal("%.*s map requires O_RDONLY access mode", S_ARG(name));
    w = table_writer_open_as(name, &how, &err);
    if (w == NULL)
        event_fatal("%s", err.text);
    return w;
}

static bool remove_one(struct table_writer *w, const struct options *o, slice key)
{
    AUTO_BUF struct buf folded = BUF_INIT(ENTRY_MOST);
    bool existed = false;
    struct err err;

    if (!o->no_fold && table_fold(key, &folded))
        key = buf_slice(&folded);
    if (!table_writer_delete(w, key, &existed, &err))
        event_fatal("%s", err.text);
    return existed;
}

/* KEY "-": those that standard input names. */
static bool remove_keys(const struct params *p, const struct options *o, const char *argument, const char *key)
{
    AUTO_BUF struct buf name = BUF_INIT(4096);
    struct table_writer *w;
    bool existed = false;
    char line[2048];
    struct err err;

    full_name(p, argument, &name);
    w = open_to_delete(buf_slice(&name));
    if (strcmp(key, "-") != 0)
        existed = remove_one(w, o, slice_text(key));
    else
        while (fgets(line, sizeof line, stdin) != NULL) {
            line[strcspn(line, "\n")] = '\0';
            existed = remove_one(w, o, slice_text(line)) || existed;
        }
    if (!table_writer_close(w, &err))
        event_fatal("%s", err.text);
    return existed;
}

static void list(const struct params *p, struct options *o, const char *argument)
{
    AUTO_BUF struct buf name = BUF_INIT(4096);
    struct err err;

    full_name(p, argument, &name);
    if (!table_each(buf_slice(&name), show_pair, o, &err))
        event_fatal("%s", err.text);
}

static bool is_called_postalias(const char *program)
{
    const char *slash = strrchr(program, '/');

    return strcmp(slash == NULL ? program : slash + 1, "postalias") == 0;
}

static const char help[] =
    "usage: postmap [-c dir] [-finoprsuvwN] [-d key] [-q key] [type:]file...      tables of \"key value\" lines\n"
    "       postalias [-c dir] [-finoprsuvwN] [-d key] [-q key] [type:]file...    tables in the form of aliases(5)\n"
    "Without -d, -q and -s: builds the table from the file of that name.\n"
    "  -q key       look it up (-: one a line from standard input)\n"
    "  -d key       delete it (-: likewise)\n"
    "  -s           show all\n"
    "  -i, -r, -w   add to the table; replace what is there; say nothing of duplicates\n"
    "postmap(1) tells more.\n";

int main(int argc, char **argv)
{
    const struct dialect *dialect = is_called_postalias(argv[0]) ? &alias_dialect : &map_dialect;
    struct options o;
    struct params *p;
    bool found = false;

    command_help(argc, argv, help);
    command_begin(dialect->name, 1, 0);
    o = parse_options(dialect, argc, argv);
    p = command_configure(o.config);
    if (optind == argc)
        usage(&o);
    if (o.query != NULL)
        return query(p, &o, argv + optind) ? 0 : 1;
    for (int i = optind; i < argc; i++) {
        if (o.list)
            list(p, &o, argv[i]);
        else if (o.remove != NULL)
            found = remove_keys(p, &o, argv[i], o.remove) || found;
        else
            build(p, &o, argv[i]);
    }
    return o.remove != NULL && !found ? 1 : 0;
}
