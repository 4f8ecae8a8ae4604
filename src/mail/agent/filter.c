#include "mail/agent/filter.h"

#include "core/base/bug.h"
#include "mail/events/events.h"

enum { VALUE_MOST = 65536 };

struct agent_filter {
    const char *parameter;
    struct tables *tables;
};

struct agent_filter *agent_filter_open(const char *parameter, const char *list, struct err *err)
{
    AUTO_BUF struct buf warnings = BUF_INIT(VALUE_MOST);
    struct tables *tables = tables_open(slice_text(list), 0, &warnings, err);
    struct agent_filter *f;

    event_warning_lines(buf_slice(&warnings));
    if (tables == NULL) {
        (void)err_note(err, "%s", parameter);
        return NULL;
    }
    f = xcalloc(1, sizeof *f);
    *f = (struct agent_filter){parameter, tables};
    return f;
}

bool agent_filter_changed(const struct agent_filter *f, struct buf *name)
{
    return f != NULL && tables_changed(f->tables, name);
}

/* "2.0.0 text" */
static void print(const struct outcome *o, struct buf *out)
{
    char code[DSN_CODE_TEXT];

    dsn_code_print(o->dsn, code);
    (void)buf_addf(out, "%s %.*s", code, S_ARG(o->reason));
}

static void replace(const struct agent_filter *f, slice value, struct outcome *o, struct arena *arena)
{
    struct dsn_code code;
    slice rest = value, text;
    bool good = cut_dsn_code(&rest, &code);

    if (!good || (code.class == 2) != (o->dsn.class == 2)) {
        event_warning("%s: bad status code: %.*s", f->parameter, S_ARG(value));
        return;
    }
    text = slice_trim(rest);
    if (text.n == 0 || !arena_copy(arena, text, &o->reason))
        return;
    o->dsn = code;
    o->kind = outcome_kind_of(code);
}

void agent_filter_apply(const struct agent_filter *f, struct outcome *o, struct arena *arena, deadline by)
{
    AUTO_BUF struct buf key = BUF_INIT(VALUE_MOST), value = BUF_INIT(VALUE_MOST);
    struct err err;

    if (f == NULL || tables_empty(f->tables))
        return;
    print(o, &key);
    switch (tables_get(f->tables, buf_slice(&key), by, &value, &err)) {
    case TABLE_FAILED:
        event_look_up_failed(tables_failed(f->tables), buf_slice(&key), &err);
        return;
    case TABLE_NOT_FOUND:
        return;
    case TABLE_FOUND:
        replace(f, buf_slice(&value), o, arena);
        return;
    }
}
