#include "core/conf/main_cf.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/file.h"

enum { FILE_MAX_BYTES = 16 << 20, WARNINGS_MAX_BYTES = 64 << 10 };

void conf_init(struct conf *c)
{
    map_init(&c->raw);
    c->path = NULL;
    buf_init(&c->warnings, WARNINGS_MAX_BYTES);
}

void conf_done(struct conf *c)
{
    map_done(&c->raw, free);
    free(c->path);
    c->path = NULL;
    buf_done(&c->warnings);
}

void conf_set(struct conf *c, slice name, slice value)
{
    free(map_set(&c->raw, name, xstrndup(value.n == 0 ? "" : value.p, value.n)));
}

const char *conf_raw(const struct conf *c, slice name)
{
    return map_get(&c->raw, name);
}

bool conf_split_line(slice line, slice *name, slice *value, struct err *err)
{
    slice text = slice_trim(line), left = text;
    size_t end = 0;

    if (left.n == 0 || left.p[0] == '=')
        return err_set(err, ERR_SYNTAX, "missing attribute name: \"%.*s\"", S_ARG(text));
    while (end < left.n && left.p[end] != '=' && !ascii_is_space(left.p[end]))
        end++;
    left = slice_trim(slice_skip(left, end));
    if (left.n == 0 || left.p[0] != '=')
        return err_set(err, ERR_SYNTAX, "missing '=' after attribute name: \"%.*s\"", S_ARG(text));
    if (slice_has_nul(text))
        return err_set(err, ERR_SYNTAX, "NUL byte in the value of: \"%.*s\"", S_ARG(slice_head(text, end)));
    *name = slice_head(text, end);
    *value = slice_trim(slice_skip(left, 1));
    return true;
}

static void note_override(struct conf *c, const char *path, int line, slice name, slice value)
{
    const char *earlier = conf_raw(c, name);

    if (earlier != NULL && !slice_eq(slice_text(earlier), value))
        buf_addf(&c->warnings, "%s, line %d: overriding earlier entry: %.*s=%s\n", path, line, S_ARG(name), earlier);
}

bool conf_read_text(struct conf *c, const char *path, slice text, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(FILE_MAX_BYTES);
    int line_number = 0, first_line = 0;

    free(c->path);
    c->path = xstrndup(path, strlen(path));
    while (conf_next_line(&text, &line_number, &first_line, &line)) {
        slice name, value;

        if (ascii_is_space(line.p[0])) {
            buf_addf(&c->warnings, "%s: logical line must not start with whitespace: \"%s\"\n", path, buf_text(&line));
            continue;
        }
        if (!conf_split_line(buf_slice(&line), &name, &value, err))
            return err_note(err, "%s, line %d", path, first_line);
        note_override(c, path, first_line, name, value);
        conf_set(c, name, value);
    }
    return true;
}

bool conf_read(struct conf *c, const char *path, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(FILE_MAX_BYTES);

    if (!file_read_path(path, &text, err))
        return false;
    return conf_read_text(c, path, buf_slice(&text), err);
}
