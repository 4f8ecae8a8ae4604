#include "commands/postconf/master.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/postconf/rows.h"
#include "core/base/cut.h"
#include "mail/events/events.h"

enum { TEXT_MOST = 16 << 20, PATTERNS_MOST = 1000 };

/* "service/type/name"; what is missing is "*". */
struct pattern {
    slice service, type, name;
};

static struct pattern pattern_parse(slice text)
{
    struct pattern p = {.service = S("*"), .type = S("*"), .name = S("*")};

    if (cut_field(&text, '/', &p.service) && cut_field(&text, '/', &p.type) && text.n > 0)
        p.name = text;
    return p;
}

static bool fits(slice pattern, slice text)
{
    return slice_eq(pattern, S("*")) || slice_eq(pattern, text);
}

static bool row_fits(const struct pattern *p, const struct master_row *r)
{
    return fits(p->service, slice_text(r->service)) && fits(p->type, slice_text(master_type_name(r->type)));
}

static bool is_field(slice name)
{
    for (size_t i = 0; i < ROW_FIELDS; i++)
        if (slice_eq(name, slice_text(row_field_names[i])))
            return true;
    return false;
}

/* ---- showing ---- */

static void show_pair(const struct row *r, const struct master_look *look, slice name, slice value)
{
    AUTO_BUF struct buf label = BUF_INIT(TEXT_MOST), text = BUF_INIT(TEXT_MOST);

    if (!look->no_name)
        (void)buf_addf(&label, "%s/%s/%.*s", buf_text(&r->field[ROW_SERVICE]), buf_text(&r->field[ROW_TYPE]),
                       S_ARG(name));
    if (look->no_value)
        (void)buf_add(&text, buf_slice(&label));
    else if (look->fold)
        fold_value(buf_slice(&label), value, &text);
    else
        (void)buf_addf(&text, "%s%s%.*s", buf_text(&label), label.n > 0 ? " = " : "", S_ARG(value));
    (void)printf("%s\n", buf_text(&text));
}

static int by_parameter(const void *a, const void *b)
{
    const struct row_argument *one = a, *other = b;

    return slice_cmp(buf_slice(&one->name), buf_slice(&other->name));
}

/* False: nothing of the row is wanted. */
static bool show_row(const struct master_row *from, const struct master_look *look, slice name)
{
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MOST);
    bool shown = look->view == MASTER_ROWS;
    struct row r;

    row_from(&r, from);
    if (look->view == MASTER_ROWS) {
        row_print(&r, look->fold, &text);
        (void)printf("%s\n", buf_text(&text));
    }
    for (size_t i = 0; look->view == MASTER_FIELDS && i < ROW_FIELDS; i++) {
        if (!fits(name, slice_text(row_field_names[i])))
            continue;
        buf_clear(&text);
        if (i == ROW_COMMAND)
            row_print_command(&r, &text);
        show_pair(&r, look, slice_text(row_field_names[i]), buf_slice(i == ROW_COMMAND ? &text : &r.field[i]));
        shown = true;
    }
    if (look->view == MASTER_PARAMETERS)
        qsort(r.arguments, r.count, sizeof *r.arguments, by_parameter);
    for (size_t i = 0; look->view == MASTER_PARAMETERS && i < r.count; i++) {
        if (r.arguments[i].name.n == 0 || !fits(name, buf_slice(&r.arguments[i].name)))
            continue;
        show_pair(&r, look, buf_slice(&r.arguments[i].name), buf_slice(&r.arguments[i].text));
        shown = true;
    }
    row_done(&r);
    return shown;
}

static void check_pattern(const struct master_look *look, const struct pattern *p)
{
    if (look->view == MASTER_FIELDS && !slice_eq(p->name, S("*")) && !is_field(p->name))
        event_fatal("invalid service attribute name: \"%.*s\"", S_ARG(p->name));
}

/* MATCHED notes which of PATTERNS found something; without patterns everything is shown. */
static void show_matching(const struct master_row *r, const struct master_look *look, char **patterns, bool matched[])
{
    if (patterns[0] == NULL)
        (void)show_row(r, look, S("*"));
    for (size_t i = 0; patterns[i] != NULL && i < PATTERNS_MOST; i++) {
        struct pattern p = pattern_parse(slice_text(patterns[i]));

        matched[i] |= row_fits(&p, r) && show_row(r, look, p.name);
    }
}

void master_show(const char *directory, const struct master_look *look, char **patterns)
{
    bool matched[PATTERNS_MOST] = {false};
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct master_conf conf;
    struct err err;

    (void)buf_addf(&path, "%s/master.cf", directory);
    if (!master_conf_read(&conf, buf_text(&path), &err))
        event_fatal("%s", err.text);
    for (char **text = patterns; *text != NULL; text++) {
        struct pattern p = pattern_parse(slice_text(*text));

        check_pattern(look, &p);
    }
    for (size_t i = 0; i < conf.count; i++)
        show_matching(&conf.rows[i], look, patterns, matched);
    for (size_t i = 0; patterns[i] != NULL; i++)
        if (i < PATTERNS_MOST && !matched[i])
            event_warning("unmatched request: \"%s\"", patterns[i]);
    master_conf_done(&conf);
}

/* ---- editing ---- */

struct edit {
    enum master_view view;
    enum master_change change;
    struct pattern where;
    slice value, request;
};

static bool parse_one(slice text, struct master_conf *out, struct err *err)
{
    return master_conf_parse(out, "master.cf", text, err) &&
           (out->count == 1 || err_set(err, ERR_SYNTAX, "one row is expected"));
}

static bool print_row(const struct master_row *from, struct buf *out)
{
    struct row r;

    row_from(&r, from);
    row_print(&r, true, out);
    row_done(&r);
    return buf_add_char(out, '\n');
}

/* The new row of -M service/type=row. */
static bool print_new(const struct edit *e, struct buf *out, struct err *err)
{
    struct master_conf parsed = {0};
    slice rest = e->value, word;
    int words = 0;
    bool ok;

    while (cut_word(&rest, " \t\r\n", &word))
        words++;
    if (words < ROW_FIELDS)
        return err_set(err, ERR_SYNTAX, "bad field count: \"%.*s\"", S_ARG(slice_head(e->request, 300)));
    ok = parse_one(slice_trim(e->value), &parsed, err) && print_row(&parsed.rows[0], out);
    master_conf_done(&parsed);
    return ok;
}

/* A row with one field changed has to be parsed again to be believed. */
static bool print_changed_field(const struct edit *e, struct row *r, struct buf *out, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MOST);
    struct master_conf parsed = {0};
    struct err why;
    bool ok;

    for (size_t i = 0; i < ROW_FIELDS; i++) {
        bool changed = slice_eq(e->where.name, slice_text(row_field_names[i]));

        if (i > 0)
            (void)buf_add_char(&text, ' ');
        if (changed)
            (void)buf_add(&text, e->value);
        else if (i == ROW_COMMAND)
            row_print_command(r, &text);
        else
            (void)buf_add(&text, buf_slice(&r->field[i]));
    }
    ok = parse_one(buf_slice(&text), &parsed, &why) && print_row(&parsed.rows[0], out);
    master_conf_done(&parsed);
    return ok || err_set(err, ERR_SYNTAX, "invalid %.*s field \"%.*s\" in \"%.*s\"", S_ARG(e->where.name),
                         S_ARG(slice_head(e->value, 100)), S_ARG(slice_head(e->value, 100)));
}

static bool change_row(const struct edit *e, const struct master_row *from, struct buf *out, struct err *err)
{
    struct row r;
    bool ok = true;

    if (e->view == MASTER_ROWS)
        return e->change == MASTER_REMOVE || print_new(e, out, err);
    row_from(&r, from);
    if (e->view == MASTER_FIELDS) {
        ok = print_changed_field(e, &r, out, err);
    } else {
        row_set_parameter(&r, e->where.name, e->change == MASTER_SET ? &e->value : NULL);
        row_print(&r, true, out);
        (void)buf_add_char(out, '\n');
    }
    row_done(&r);
    return ok;
}

static bool cut_raw_line(slice *rest, slice *line)
{
    size_t n = slice_find(*rest, '\n');

    if (rest->n == 0)
        return false;
    *line = slice_head(*rest, n == SLICE_NONE ? rest->n : n + 1);
    *rest = slice_skip(*rest, line->n);
    return true;
}

static bool is_note(slice line)
{
    slice text = slice_trim(line);

    return text.n == 0 || text.p[0] == '#';
}

/* Takes the row that FIRST begins, up to its last continuation line; the notes between go to NOTES, the rest to ROW. */
static void take_row(slice first, slice *rest, struct buf *row, struct buf *notes)
{
    slice ahead = *rest, line;
    size_t notes_end = 0;

    (void)buf_add(row, first);
    while (cut_raw_line(&ahead, &line)) {
        if (is_note(line)) {
            (void)buf_add(notes, line);
            continue;
        }
        if (line.p[0] != ' ' && line.p[0] != '\t')
            break;
        (void)buf_add(row, line);
        *rest = ahead;
        notes_end = notes->n;
    }
    buf_truncate(notes, notes_end);
}

static void comment_out(slice row, struct buf *out)
{
    slice line;

    while (cut_raw_line(&row, &line))
        (void)buf_addf(out, "%s%.*s", is_note(line) ? "" : "#", S_ARG(line));
}

static bool edit_row(const struct edit *e, slice first, slice *rest, struct buf *out, bool *matched, struct err *err)
{
    AUTO_BUF struct buf row = BUF_INIT(TEXT_MOST), notes = BUF_INIT(TEXT_MOST);
    struct master_conf parsed = {0};
    const char *whole = first.p;
    slice ahead = *rest;
    bool ok;

    take_row(first, &ahead, &row, &notes);
    if (!parse_one(buf_slice(&row), &parsed, err))
        return false;
    if (!row_fits(&e->where, &parsed.rows[0])) {
        (void)buf_add(out, slice_of(whole, (size_t)(ahead.p - whole)));
        ok = true;
    } else {
        *matched = true;
        ok = true;
        if (e->change == MASTER_COMMENT_OUT) {
            comment_out(slice_of(whole, (size_t)(ahead.p - whole)), out);
        } else {
            (void)buf_add(out, buf_slice(&notes));
            ok = change_row(e, &parsed.rows[0], out, err);
        }
    }
    *rest = ahead;
    master_conf_done(&parsed);
    return ok;
}

/* How many words NAME has between its slashes. */
static int parts(slice name)
{
    slice word;
    int count = 0;

    while (cut_word(&name, "/", &word))
        count++;
    return count;
}

static bool check_name(enum master_view view, slice name, struct err *err)
{
    static const struct {
        int parts;
        const char *wants;
    } views[] = {[MASTER_ROWS] = {2, "-Me, -MX or -M# requires service_name/type"},
                 [MASTER_FIELDS] = {3, "-Fe or -FX requires service_name/type/field_name"},
                 [MASTER_PARAMETERS] = {3, "-Pe or -PX requires service_name/type/parameter"}};

    return parts(name) == views[view].parts || err_set(err, ERR_SYNTAX, "%s", views[view].wants);
}

static bool parse_request(slice request, struct edit *e, struct err *err)
{
    slice name = request;

    e->request = e->value = request;
    if (e->change == MASTER_SET && !cut_until(&e->value, '=', &name))
        return err_set(err, ERR_SYNTAX, "missing '=' after attribute name: \"%.*s\"", S_ARG(slice_head(request, 300)));
    name = slice_trim(name);
    if (name.n == 0)
        return err_set(err, ERR_SYNTAX, "missing attribute name: \"%.*s\"", S_ARG(slice_head(request, 300)));
    if (!check_name(e->view, name, err))
        return false;
    e->where = pattern_parse(name);
    e->value = slice_trim(e->value);
    if (e->view == MASTER_FIELDS && !is_field(e->where.name))
        return err_set(err, ERR_SYNTAX, "invalid service attribute name: \"%.*s\"",
                       S_ARG(slice_head(e->where.name, 100)));
    if (e->view == MASTER_FIELDS && e->change == MASTER_SET &&
        !slice_eq(e->where.name, slice_text(row_field_names[ROW_COMMAND])) &&
        slice_find_any(e->value, " \t\r\n") != SLICE_NONE)
        return err_set(err, ERR_SYNTAX, "-Fe does not accept whitespace in non-command field: \"%.*s\"",
                       S_ARG(slice_head(request, 200)));
    return true;
}

bool master_edit(slice text, enum master_view view, enum master_change change, slice request, struct buf *out,
                 bool *matched, struct err *err)
{
    struct edit e = {.view = view, .change = change};
    bool found = false;
    slice line;

    if (!parse_request(request, &e, err))
        return false;
    while (cut_raw_line(&text, &line)) {
        if (is_note(line) || line.p[0] == ' ' || line.p[0] == '\t')
            (void)buf_add(out, line);
        else if (!edit_row(&e, line, &text, out, &found, err))
            return false;
    }
    if (!found && view == MASTER_ROWS && change == MASTER_SET && !print_new(&e, out, err))
        return false;
    *matched = found;
    return true;
}
