/* Asking tables: postmap -q, -s. */
#include <stdio.h>
#include <stdlib.h>

#include "commands/postmap/files.h"
#include "commands/postmap/postmap.h"
#include "core/base/cut.h"
#include "mail/content/follow.h"
#include "mail/events/events.h"
#include "mail/table/table.h"

/* "file" alone is of default_database_type. */
void postmap_full_name(const struct params *p, const char *argument, struct buf *out)
{
    buf_clear(out);
    if (slice_find(slice_text(argument), ':') == SLICE_NONE)
        (void)buf_addf(out, "%s:%s", p->default_database_type, argument);
    else
        (void)buf_add_text(out, argument);
}

static void warn_of_empty(const char *table, slice key)
{
    event_warning("table %s: key %.*s: empty string result is not allowed", table, S_ARG(key));
    event_warning("table %s should return NO RESULT in case of NOT FOUND", table);
}

/* A table that can be asked, or the end. */
static struct table *open_to_ask(const struct postmap_options *o, slice name)
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

/* Tables that are made here have the content of files; others name them still. */
static enum table_got take_files(const char *table, slice key, struct buf *value)
{
    AUTO_BUF struct buf content = BUF_INIT(ENTRY_MOST);
    slice type = slice_head(slice_text(table), slice_find(slice_text(table), ':'));
    struct err err;

    if (table_can_write(type) && !files_decode(value, &err)) {
        event_warning("table %s: key %.*s: %s", table, S_ARG(key), err.text);
        event_fatal("table %s: query error", table);
    }
    if (table_can_write(type))
        return TABLE_FOUND;
    if (!files_read(buf_slice(value), &content, &err)) {
        event_warning("table %s: key %.*s: %s: skipping this entry", table, S_ARG(key), err.text);
        return TABLE_NOT_FOUND;
    }
    buf_clear(value);
    (void)buf_add(value, buf_slice(&content));
    return TABLE_FOUND;
}

static bool query_one(const struct params *p, const struct postmap_options *o, const char *argument, slice key,
                      bool with_key)
{
    AUTO_BUF struct buf name = BUF_INIT(4096), value = BUF_INIT(ENTRY_MOST);
    struct table *t;
    struct err err;
    enum table_got got;

    postmap_full_name(p, argument, &name);
    t = open_to_ask(o, buf_slice(&name));
    got = table_get(t, key, NEVER, &value, &err);
    if (got == TABLE_FAILED)
        fail_query(buf_text(&name), &err);
    if (got == TABLE_FOUND && o->files)
        got = take_files(buf_text(&name), key, &value);
    if (got == TABLE_FOUND && value.n == 0)
        warn_of_empty(buf_text(&name), key);
    table_close(t);
    if (got == TABLE_FOUND && with_key)
        (void)printf("%.*s%s%s\n", S_ARG(key), o->dialect->separator, buf_text(&value));
    else if (got == TABLE_FOUND)
        (void)printf("%s\n", buf_text(&value));
    return got == TABLE_FOUND;
}

/* The first of TABLES that knows KEY answers. */
static bool query_tables(const struct params *p, const struct postmap_options *o, char **tables, slice key,
                         bool with_key)
{
    for (; *tables != NULL; tables++)
        if (query_one(p, o, *tables, key, with_key))
            return true;
    return false;
}

/* ---- a message ---- */

/* Whose headers or lines are keys. */
struct message {
    const struct params *params;
    const struct postmap_options *options;
    char **tables;
    bool found;
};

static void ask_for(struct message *m, slice key)
{
    m->found = query_tables(m->params, m->options, m->tables, key, true) || m->found;
}

static bool ask_header(void *arg, enum header_kind kind, slice text, bool ended, struct err *err)
{
    struct message *m = arg;

    (void)kind;
    (void)ended;
    (void)err;
    if (m->options->ask_headers)
        ask_for(m, text);
    return true;
}

static bool ask_piece(void *arg, slice text, bool ends_line, struct err *err)
{
    (void)arg;
    (void)text;
    (void)ends_line;
    (void)err;
    return true;
}

static bool ask_nothing(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    return true;
}

static bool ask_line(void *arg, slice text, bool ends_line, bool boundary, struct err *err)
{
    struct message *m = arg;

    (void)ends_line;
    (void)boundary;
    (void)err;
    if (m->options->ask_body)
        ask_for(m, text);
    return true;
}

/* Without -m all that is behind the message's own headers is its body. */
static bool query_message(const struct params *p, const struct postmap_options *o, char **tables)
{
    struct message m = {p, o, tables, false};
    const struct follow_hooks hooks = {&m, ask_header, ask_piece, ask_nothing, ask_line};
    struct follow f;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    struct err err;

    follow_init(&f, &hooks, (size_t)p->header_size_limit, (size_t)p->mime_boundary_length_limit,
                o->ask_parts ? (unsigned)p->mime_nesting_limit : 0);
    while ((n = getline(&line, &room, stdin)) > 0) {
        slice text = slice_of(line, (size_t)n);
        bool ends = slice_ends(text, S("\n")), in_body = !o->ask_parts && !f.mime.in_header;

        text = slice_head(text, text.n - ends);
        if (in_body || (!o->ask_parts && f.mime.place != MIME_PRIMARY))
            (void)ask_line(&m, text, ends, false, &err);
        else
            (void)!follow_text(&f, text, ends, &err);
    }
    (void)!follow_end(&f, &err);
    follow_done(&f);
    free(line);
    return m.found;
}

/* The query "-": keys from standard input. */
bool postmap_query(const struct params *p, const struct postmap_options *o, char **tables)
{
    char line[2048];
    bool found = false;

    if (o->ask_headers || o->ask_body)
        return query_message(p, o, tables);
    if (strcmp(o->query, "-") != 0)
        return query_tables(p, o, tables, slice_text(o->query), false);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = query_tables(p, o, tables, slice_text(line), true) || found;
    }
    return found;
}

/* ---- all of a table ---- */

struct listing {
    const struct postmap_options *options;
    const char *table;
};

static void show_files(const struct listing *l, slice key, slice value)
{
    AUTO_BUF struct buf text = BUF_INIT(ENTRY_MOST);
    struct err err;

    if (buf_add(&text, value) && files_decode(&text, &err))
        (void)printf("%.*s%s%s\n", S_ARG(key), l->options->dialect->separator, buf_text(&text));
    else
        event_warning("table %s: key %.*s: %s", l->table, S_ARG(key), err.text);
}

static bool show_pair(void *context, slice key, slice value)
{
    const struct listing *l = context;

    if (key.n > 0 && key.p[key.n - 1] == '\0')
        key.n--;
    if (value.n > 0 && value.p[value.n - 1] == '\0')
        value.n--;
    if (key.n == 0)
        event_warning("table %s: empty lookup key value is not allowed", l->table);
    if (value.n == 0)
        warn_of_empty(l->table, key);
    if (l->options->files)
        show_files(l, key, value);
    else
        (void)printf("%.*s%s%.*s\n", S_ARG(key), l->options->dialect->separator, S_ARG(value));
    return true;
}

void postmap_list(const struct params *p, const struct postmap_options *o, const char *argument)
{
    AUTO_BUF struct buf name = BUF_INIT(4096);
    struct err err;

    postmap_full_name(p, argument, &name);
    if (!table_each(buf_slice(&name), show_pair, &(struct listing){o, buf_text(&name)}, &err))
        event_fatal("%s", err.text);
}
