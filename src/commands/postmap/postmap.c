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
#include "commands/postmap/files.h"
#include "commands/postmap/postmap.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/conf/main_cf.h"
#include "mail/command/command.h"
#include "mail/events/events.h"
#include "mail/table/table.h"

enum { FILE_MOST = 256 << 20 };

/* "key value", the key lower-cased by the caller unless -f. */
static const char *plain_line_parse(slice line, struct buf *key, struct buf *value)
{
    slice k, v;

    buf_clear(key);
    buf_clear(value);
    if (table_line_parse(line, &k, &v) != TABLE_LINE_OK || !buf_add(key, k) || !buf_add(value, v))
        return "expected format: key whitespace value";
    return NULL;
}

static const struct postmap_dialect map_dialect = {"postmap",         "\t",  "Nbc:d:fFhimnopq:rsuUvw",
                                                   "bfFhimnNoprsuUvw", false, plain_line_parse};
static const struct postmap_dialect alias_dialect = {"postalias",   ":\t", "Nc:d:finopq:rsuvw",
                                                     "Nfinoprsuvw", true,  alias_line_parse};

static NORETURN void usage(const struct postmap_options *o)
{
    event_fatal("usage: %s [-%s] [-c config_dir] [-d key] [-q key] [map_type:]file...", o->dialect->name,
                o->dialect->shown);
}

/* -s, -q and -d exclude each other and themselves. */
static void claim_job(bool *taken)
{
    if (*taken)
        event_fatal("specify only one of -s -q or -d");
    *taken = true;
}

static struct postmap_options parse_options(const struct postmap_dialect *dialect, int argc, char **argv)
{
    struct postmap_options o = {.dialect = dialect};
    bool job = false;
    int c;

    while ((c = getopt(argc, argv, dialect->letters)) > 0)
        switch (c) {
        case 'b':
            o.ask_body = true;
            break;
        case 'h':
            o.ask_headers = true;
            break;
        case 'm':
            o.ask_parts = true;
            break;
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
        case 'F':
            o.files = true;
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
    if (o.ask_parts && !o.ask_body && !o.ask_headers)
        event_warning("ignoring -m option without -b or -h");
    if ((o.ask_parts || o.ask_body || o.ask_headers) && (o.query == NULL || strcmp(o.query, "-") != 0))
        event_fatal("specify -b -h or -m only with \"-q -\"");
    return o;
}

static void put(struct table_writer *w, const struct postmap_options *o, struct buf *key, struct buf *value)
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
static void put_text(struct table_writer *w, const struct postmap_options *o, const char *key_text,
                     const char *value_text)
{
    AUTO_BUF struct buf key = BUF_INIT(1000), value = BUF_INIT(1000);
    struct postmap_options quiet = *o;

    (void)buf_add_text(&key, key_text);
    (void)buf_add_text(&value, value_text);
    quiet.replace = quiet.no_fold = true;
    put(w, &quiet, &key, &value);
}

/* What NIS wanted to find, and the field's tools still expect. */
static void put_marks(const struct params *p, struct table_writer *w, const struct postmap_options *o)
{
    char now[40];

    put_text(w, o, "@", "@");
    (void)snprintf(now, sizeof now, "%010ld", (long)time(NULL));
    put_text(w, o, "YP_LAST_MODIFIED", now);
    put_text(w, o, "YP_MASTER_NAME", p->myhostname);
}

/* A table belongs to whoever owns its source, is made with that user's rights, and is as private as the source. */
static mode_t become_owner(const struct postmap_options *o, int fd, const char *path)
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
static void complain(const struct postmap_options *o, const char *path, int number, slice line, const char *wrong)
{
    slice key, value;
    enum table_line kind = table_line_parse(line, &key, &value);

    if (wrong == NULL && !o->dialect->marks && key.n > 0 && key.p[key.n - 1] == ':')
        event_warning("%s, line %d: record is in \"key: value\" format; is this an alias file?", path, number);
    if (wrong == NULL)
        return;
    if (!o->dialect->marks && kind == TABLE_LINE_UNBALANCED)
        event_warning("%s, line %d: unbalanced '\"' in '%.*s' -- ignoring this line", path, number,
                      S_ARG(slice_trim(line)));
    else
        event_warning("%s, line %d: %s", path, number, wrong);
}

static bool takes_files(const char *path, int line, struct buf *value)
{
    struct err err;

    if (files_encode(value, &err))
        return true;
    event_warning("%s, line %d: %s: skipping this entry", path, line, err.text);
    return false;
}

static void put_lines(struct table_writer *w, const struct postmap_options *o, const char *path, slice rest)
{
    AUTO_BUF struct buf line = BUF_INIT(ENTRY_MOST), key = BUF_INIT(ENTRY_MOST), value = BUF_INIT(ENTRY_MOST);
    int line_number = 0, first_line;

    while (conf_next_line(&rest, &line_number, &first_line, &line)) {
        slice text = slice_trim_end(slice_head(buf_slice(&line), slice_find(buf_slice(&line), '\0')));
        const char *wrong;

        if (text.n > 0 && ascii_is_space(text.p[0])) { /* it continues nothing */
            event_warning("%s: logical line must not start with whitespace: \"%.*s\"", path, S_ARG(text));
            continue;
        }
        wrong = o->dialect->parse(text, &key, &value);
        complain(o, path, first_line, text, wrong);
        if (wrong == NULL && (!o->files || takes_files(path, first_line, &value)))
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
static void build(const struct params *p, const struct postmap_options *o, const char *argument)
{
    AUTO_BUF struct buf name = BUF_INIT(4096), text = BUF_INIT(FILE_MOST);
    struct table_write_options how = {.flags = o->nul | (o->incremental ? 0U : TABLE_WRITE_TRUNCATE)};
    struct table_writer *w;
    const char *path;
    AUTO_FD int fd = -1;
    struct err err;
    slice type;

    postmap_full_name(p, argument, &name);
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

/* ---- changing ---- */

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

static bool remove_one(struct table_writer *w, const struct postmap_options *o, slice key)
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
static bool remove_keys(const struct params *p, const struct postmap_options *o, const char *argument, const char *key)
{
    AUTO_BUF struct buf name = BUF_INIT(4096);
    struct table_writer *w;
    bool existed = false;
    char line[2048];
    struct err err;

    postmap_full_name(p, argument, &name);
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

static bool is_called_postalias(const char *program)
{
    const char *slash = strrchr(program, '/');

    return strcmp(slash == NULL ? program : slash + 1, "postalias") == 0;
}

static const char help[] =
    "usage: postmap [-c dir] [-fFinoprsuvwN] [-d key] [-q key] [type:]file...      tables of \"key value\" lines\n"
    "       postalias [-c dir] [-finoprsuvwN] [-d key] [-q key] [type:]file...    tables in the form of aliases(5)\n"
    "Without -d, -q and -s: builds the table from the file of that name.\n"
    "  -q key       look it up (-: one a line from standard input)\n"
    "  -h, -b       with -q -: the headers, the lines of the body of a message there; -m: of its parts, too\n"
    "  -d key       delete it (-: likewise)\n"
    "  -s           show all\n"
    "  -F           values name files, whose content is kept, and shown, instead\n"
    "  -i, -r, -w   add to the table; replace what is there; say nothing of duplicates\n"
    "postmap(1) tells more.\n";

int main(int argc, char **argv)
{
    const struct postmap_dialect *dialect = is_called_postalias(argv[0]) ? &alias_dialect : &map_dialect;
    struct postmap_options o;
    struct params *p;
    bool found = false;

    command_help(argc, argv, help);
    command_begin(dialect->name, 1, 0);
    o = parse_options(dialect, argc, argv);
    p = command_configure(o.config);
    if (optind == argc)
        usage(&o);
    if (o.query != NULL)
        return postmap_query(p, &o, argv + optind) ? 0 : 1;
    for (int i = optind; i < argc; i++) {
        if (o.list)
            postmap_list(p, &o, argv[i]);
        else if (o.remove != NULL)
            found = remove_keys(p, &o, argv[i], o.remove) || found;
        else
            build(p, &o, argv[i]);
    }
    return o.remove != NULL && !found ? 1 : 0;
}
