/* Asking tables: postmap -q. */
#include <stdio.h>
#include <stdlib.h>

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
