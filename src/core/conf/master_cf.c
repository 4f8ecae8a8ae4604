#include "core/conf/master_cf.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/conf/main_cf.h"

enum { FILE_MAX_BYTES = 16 << 20, WARNINGS_MAX_BYTES = 64 << 10 };

#define BLANKS " \t\r\n\v\f"

static const char *const type_names[] = {
    [MASTER_INET] = "inet", [MASTER_UNIX] = "unix",        [MASTER_FIFO] = "fifo",
    [MASTER_PASS] = "pass", [MASTER_DGRAM] = "unix-dgram",
};

const char *master_type_name(enum master_type t)
{
    return type_names[t];
}

bool master_type_parse(slice text, enum master_type *out)
{
    for (size_t i = 0; i < COUNT_OF(type_names); i++)
        if (slice_eq(text, slice_text(type_names[i]))) {
            *out = (enum master_type)i;
            return true;
        }
    return false;
}

static void row_free(struct master_row *r)
{
    free(r->service);
    free(r->command);
    for (int i = 0; i < r->argc; i++)
        free(r->argv[i]);
    free(r->argv);
}

void master_conf_done(struct master_conf *m)
{
    for (size_t i = 0; i < m->count; i++)
        row_free(&m->rows[i]);
    free(m->rows);
    free(m->path);
    buf_done(&m->warnings);
    *m = (struct master_conf){0};
}

static bool bad_field(const char *field, slice value, struct err *err)
{
    return err_set(err, ERR_SYNTAX, "field \"%s\": bad value: \"%.*s\"", field, S_ARG(value));
}

static bool take_field(slice *line, const char *field, slice *out, struct err *err)
{
    return cut_word(line, BLANKS, out) || err_set(err, ERR_SYNTAX, "missing \"%s\" field", field);
}

static bool take_yesno(slice *line, const char *field, enum master_yesno *out, struct err *err)
{
    slice word;

    if (!take_field(line, field, &word, err))
        return false;
    if (slice_eq(word, S("-")))
        *out = MASTER_DEFAULT;
    else if (slice_eq(word, S("y")))
        *out = MASTER_YES;
    else if (slice_eq(word, S("n")))
        *out = MASTER_NO;
    else
        return bad_field(field, word, err);
    return true;
}

static bool take_count(slice *line, const char *field, bool may_ask, int for_dash, struct master_row *r, int *out,
                       struct err *err)
{
    slice word, digits;
    unsigned count;

    if (!take_field(line, field, &word, err))
        return false;
    digits = word;
    if (may_ask && word.n > 1 && slice_ends(word, S("?"))) {
        r->wakeup_if_used = true;
        digits.n--;
    }
    if (slice_eq(digits, S("-"))) {
        *out = for_dash;
        return true;
    }
    if (!cut_uint(&digits, 1, 9, &count) || digits.n > 0)
        return bad_field(field, word, err);
    *out = (int)count;
    return true;
}

static bool take_arguments(slice line, struct master_row *r, struct err *err)
{
    int room = 4;

    r->argv = xcalloc((size_t)room, sizeof *r->argv);
    for (;;) {
        slice item;
        bool braced;

        switch (conf_next_item(&line, BLANKS, &item, &braced, err)) {
        case CONF_FAILED:
            return false;
        case CONF_END:
            return true;
        case CONF_ITEM:
            break;
        }
        if (r->argc + 1 >= room) {
            room *= 2;
            r->argv = xrealloc_array(r->argv, (size_t)room, sizeof *r->argv);
        }
        r->argv[r->argc++] = xstrndup(item.p, item.n);
        r->argv[r->argc] = NULL;
    }
}

static bool row_parse(slice line, struct master_row *r, struct err *err)
{
    slice word;

    if (slice_has_nul(line))
        return err_set(err, ERR_SYNTAX, "NUL byte in the line");
    if (!take_field(&line, "service", &word, err))
        return false;
    r->service = xstrndup(word.p, word.n);
    if (!take_field(&line, "transport type", &word, err))
        return false;
    if (!master_type_parse(word, &r->type))
        return err_set(err, ERR_SYNTAX, "bad transport type: %.*s", S_ARG(word));
    if (!take_yesno(&line, "private", &r->is_private, err) ||
        !take_yesno(&line, "unprivileged", &r->unprivileged, err) || !take_yesno(&line, "chroot", &r->chroot, err) ||
        !take_count(&line, "wakeup_time", true, -1, r, &r->wakeup_seconds, err) ||
        !take_count(&line, "max_proc", false, -1, r, &r->process_limit, err) ||
        !take_field(&line, "command", &word, err))
        return false;
    if (r->type == MASTER_INET && r->is_private != MASTER_NO)
        return err_set(err, ERR_SYNTAX, "inet service cannot be private");
    r->command = xstrndup(word.p, word.n);
    return take_arguments(line, r, err);
}

const struct master_row *master_conf_find(const struct master_conf *m, slice service, enum master_type type)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->rows[i].type == type && slice_eq(slice_text(m->rows[i].service), service))
            return &m->rows[i];
    return NULL;
}

/* Takes over *R. */
static void add_row(struct master_conf *m, struct master_row *r)
{
    struct master_row *old = (struct master_row *)master_conf_find(m, slice_text(r->service), r->type);

    if (old != NULL) {
        buf_addf(&m->warnings, "duplicate master.cf entry for service \"%s\" (%s) -- using the last entry\n", r->service,
                 type_names[r->type]);
        row_free(old);
        *old = *r;
        return;
    }
    if ((m->count & (m->count - 1)) == 0)
        m->rows = xrealloc_array(m->rows, m->count == 0 ? 1 : 2 * m->count, sizeof *m->rows);
    m->rows[m->count++] = *r;
}

bool master_conf_parse(struct master_conf *m, const char *path, slice text, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(FILE_MAX_BYTES);
    int line_number = 0, first_line = 0;

    *m = (struct master_conf){.path = xstrndup(path, strlen(path))};
    buf_init(&m->warnings, WARNINGS_MAX_BYTES);
    while (conf_next_line(&text, &line_number, &first_line, &line)) {
        struct master_row row = {.line = first_line};

        if (ascii_is_space(line.p[0])) {
            buf_addf(&m->warnings, "%s: logical line must not start with whitespace: \"%s\"\n", path, buf_text(&line));
            continue;
        }
        if (!row_parse(buf_slice(&line), &row, err)) {
            err_note(err, "%s: line %d", path, first_line);
            row_free(&row);
            master_conf_done(m);
            return false;
        }
        add_row(m, &row);
    }
    return true;
}

bool master_conf_read(struct master_conf *m, const char *path, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(FILE_MAX_BYTES);

    if (!file_read_path(path, &text, err))
        return false;
    return master_conf_parse(m, path, buf_slice(&text), err);
}

bool master_row_overrides(const struct master_row *r, int *at, slice *name, slice *value, int *argument)
{
    for (int i = *at; i < r->argc && r->argv[i][0] == '-' && r->argv[i][1] != '\0'; i++) {
        const char *o = strchr(r->argv[i] + 1, 'o');
        slice pair;
        struct err ignored;

        if (o == NULL)
            continue;
        if (o[1] == '\0' && ++i >= r->argc)
            break;
        pair = o[1] == '\0' ? slice_text(r->argv[i]) : slice_text(o + 1);
        *at = i + 1;
        *argument = i;
        if (!conf_split_line(pair, name, value, &ignored)) {
            *name = pair;
            *value = slice_of("", 0);
        }
        return true;
    }
    *at = r->argc;
    return false;
}
