#include "commands/postconf/rows.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"

enum { LINE_COLUMNS = 80, TEXT_MOST = 1 << 20 };

static const slice fold_mark = S_INIT("\n    ");

const char *const row_field_names[ROW_FIELDS] = {"service", "type",   "private",       "unprivileged",
                                                 "chroot",  "wakeup", "process_limit", "command"};

/* Where the fields begin; what is too long pushes the next one by a blank. */
static const size_t columns[ROW_FIELDS] = {0, 11, 17, 25, 33, 41, 49, 57};

/* ---- making ---- */

static struct row_argument *insert_argument(struct row *r, size_t at)
{
    if (r->count == r->room) {
        r->room = r->room * 2 + 8;
        r->arguments = xrealloc_array(r->arguments, r->room, sizeof *r->arguments);
    }
    memmove(r->arguments + at + 1, r->arguments + at, (r->count - at) * sizeof *r->arguments);
    r->count++;
    r->arguments[at] = (struct row_argument){BUF_INIT(TEXT_MOST), BUF_INIT(TEXT_MOST)};
    return &r->arguments[at];
}

static void remove_argument(struct row *r, size_t at)
{
    buf_done(&r->arguments[at].text);
    buf_done(&r->arguments[at].name);
    memmove(r->arguments + at, r->arguments + at + 1, (r->count - at - 1) * sizeof *r->arguments);
    r->count--;
}

static const char *yes_no(enum master_yesno v)
{
    return v == MASTER_DEFAULT ? "-" : v == MASTER_YES ? "y" : "n";
}

static void add_arguments(struct row *r, const struct master_row *from)
{
    int at = 0, done = 0, argument;
    slice name, value;

    while (master_row_overrides(from, &at, &name, &value, &argument)) {
        bool plain = argument > 0 && strcmp(from->argv[argument - 1], "-o") == 0;
        struct row_argument *a;

        for (; done < argument - (plain ? 1 : 0); done++)
            (void)buf_add_text(&insert_argument(r, r->count)->text, from->argv[done]);
        if (!plain && strncmp(from->argv[argument], "-o", 2) != 0)
            continue; /* -vo name=value stays as it is */
        a = insert_argument(r, r->count);
        (void)buf_add(&a->name, slice_trim(name));
        (void)buf_add(&a->text, slice_trim(value));
        done = argument + 1;
    }
    for (; done < from->argc; done++)
        (void)buf_add_text(&insert_argument(r, r->count)->text, from->argv[done]);
}

void row_from(struct row *r, const struct master_row *from)
{
    *r = (struct row){0};
    for (size_t i = 0; i < ROW_FIELDS; i++)
        buf_init(&r->field[i], TEXT_MOST);
    (void)buf_add_text(&r->field[ROW_SERVICE], from->service);
    (void)buf_add_text(&r->field[ROW_TYPE], master_type_name(from->type));
    (void)buf_add_text(&r->field[ROW_PRIVATE], yes_no(from->is_private));
    (void)buf_add_text(&r->field[ROW_UNPRIVILEGED], yes_no(from->unprivileged));
    (void)buf_add_text(&r->field[ROW_CHROOT], yes_no(from->chroot));
    if (from->wakeup_seconds >= 0)
        (void)buf_addf(&r->field[ROW_WAKEUP], "%d%s", from->wakeup_seconds, from->wakeup_if_used ? "?" : "");
    else
        (void)buf_add_text(&r->field[ROW_WAKEUP], "-");
    if (from->process_limit >= 0)
        (void)buf_addf(&r->field[ROW_LIMIT], "%d", from->process_limit);
    else
        (void)buf_add_text(&r->field[ROW_LIMIT], "-");
    (void)buf_add_text(&r->field[ROW_COMMAND], from->command);
    add_arguments(r, from);
}

void row_done(struct row *r)
{
    for (size_t i = 0; i < ROW_FIELDS; i++)
        buf_done(&r->field[i]);
    while (r->count > 0)
        remove_argument(r, r->count - 1);
    free(r->arguments);
}

void row_set_parameter(struct row *r, slice name, const slice *value)
{
    size_t end = 0;
    bool found = false;

    for (size_t i = 0; i < r->count; i++) {
        struct row_argument *a = &r->arguments[i];

        if (!slice_eq(buf_slice(&a->name), name))
            continue;
        found = true;
        if (value == NULL) {
            remove_argument(r, i--);
        } else {
            buf_clear(&a->text);
            (void)buf_add(&a->text, *value);
        }
    }
    if (found || value == NULL)
        return;
    while (end < r->count && (r->arguments[end].name.n > 0 || slice_starts(buf_slice(&r->arguments[end].text), S("-"))))
        end++;
    struct row_argument *a = insert_argument(r, end);
    (void)buf_add(&a->name, name);
    (void)buf_add(&a->text, *value);
}

/* ---- printing ---- */

static bool has_blank(slice text)
{
    return slice_find_any(text, " \t\r\n") != SLICE_NONE;
}

static void print_argument(const struct row_argument *a, struct buf *out)
{
    slice text = buf_slice(&a->text), name = buf_slice(&a->name);
    const char *open = has_blank(text) ? "{" : "", *close = has_blank(text) ? "}" : "";

    if (name.n > 0)
        (void)buf_addf(out, "-o %s%.*s=%.*s%s", open, S_ARG(name), S_ARG(text), close);
    else
        (void)buf_addf(out, "%s%.*s%s", open, S_ARG(text), close);
}

void row_print_command(const struct row *r, struct buf *out)
{
    (void)buf_add(out, buf_slice(&r->field[ROW_COMMAND]));
    for (size_t i = 0; i < r->count; i++) {
        (void)buf_add_char(out, ' ');
        print_argument(&r->arguments[i], out);
    }
}

static size_t column_of(const struct buf *out, size_t start)
{
    slice line = slice_skip(buf_slice(out), start);
    size_t newline = slice_find_last(line, '\n');

    return newline == SLICE_NONE ? line.n : line.n - newline - 1;
}

void row_print(const struct row *r, bool fold, struct buf *out)
{
    size_t start = out->n;
    bool after_option = false;

    for (size_t i = 0; i < ROW_FIELDS; i++) {
        do
            (void)(i > 0 && buf_add_char(out, ' '));
        while (i > 0 && out->n - start < columns[i]);
        (void)buf_add(out, buf_slice(&r->field[i]));
    }
    for (size_t i = 0; i < r->count; i++) {
        AUTO_BUF struct buf text = BUF_INIT(TEXT_MOST);
        bool option = r->arguments[i].name.n > 0;

        print_argument(&r->arguments[i], &text);
        if (fold && (option || after_option || column_of(out, start) + 1 + text.n > LINE_COLUMNS))
            (void)buf_add(out, fold_mark);
        else
            (void)buf_add_char(out, ' ');
        (void)buf_add(out, buf_slice(&text));
        after_option = option;
    }
}

void fold_value(slice label, slice value, struct buf *out)
{
    size_t start = out->n;
    slice word;

    if (label.n > 0)
        (void)buf_addf(out, "%.*s =", S_ARG(label));
    while (cut_word(&value, " \t\r\n", &word)) {
        if (out->n > start && column_of(out, start) + 1 + word.n > LINE_COLUMNS)
            (void)buf_add(out, fold_mark);
        else if (out->n > start)
            (void)buf_add_char(out, ' ');
        (void)buf_add(out, word);
    }
}
