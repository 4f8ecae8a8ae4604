/* texthash:file and inline:{name=value, ...} - tables held in memory.  Source: postmap(1), DATABASE_README. */
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/map.h"
#include "core/conf/main_cf.h"
#include "mail/table/inner.h"

static void memory_free(void *self)
{
    map_done(self, free);
    free(self);
}

static struct map *memory_new(void)
{
    struct map *m = xmalloc(sizeof *m);

    map_init(m);
    return m;
}

struct value {
    size_t bytes;
    char text[];
};

static struct value *value_new(slice s)
{
    struct value *v = xmalloc(sizeof *v + s.n + 1);

    v->bytes = s.n;
    if (s.n > 0)
        memcpy(v->text, s.p, s.n);
    v->text[s.n] = '\0';
    return v;
}

static enum table_got memory_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    const struct value *v = map_get(self, key);

    (void)by;
    return v == NULL ? TABLE_NOT_FOUND : value_set(value, (slice){v->text, v->bytes}, err);
}

static bool memory_each(void *self, table_pair_fn *fn, void *context, struct err *err)
{
    struct map *m = self;

    (void)err;
    MAP_EACH(entry, m)
    {
        const struct value *v = entry->value;
        if (!fn(context, map_key(entry), (slice){v->text, v->bytes}))
            break;
    }
    return true;
}

/* ---- texthash ---- */

static void texthash_line(struct map *m, slice name, slice line, int number, bool fold, struct buf *warnings)
{
    AUTO_BUF struct buf folded = BUF_INIT(TABLE_TEXT_MAX);
    slice key, value;

    if (ascii_is_space(*line.p)) {
        warn(warnings, "%.*s: logical line must not start with whitespace: \"%.*s\"", S_ARG(name),
             (int)(line.n < 30 ? line.n : 30), line.p);
        return;
    }
    switch (table_line_parse(line, &key, &value)) {
    case TABLE_LINE_UNBALANCED:
        warn(warnings, "%.*s, line %d: unbalanced '\"' in '%.*s' -- ignoring this line", S_ARG(name), number, S_ARG(line));
        return;
    case TABLE_LINE_NO_VALUE:
        warn(warnings, "%.*s, line %d: expected format: key whitespace value", S_ARG(name), number);
        return;
    case TABLE_LINE_OK:
        break;
    }
    if (key.p[key.n - 1] == ':')
        warn(warnings, "%.*s, line %d: record is in \"key: value\" format; is this an alias file?", S_ARG(name), number);
    if (fold && table_fold(key, &folded))
        key = buf_slice(&folded);
    if (map_get(m, key) != NULL)
        warn(warnings, "%.*s, line %d: duplicate entry: \"%.*s\"", S_ARG(name), number, S_ARG(key));
    else
        map_set(m, key, value_new(value));
}

static void *texthash_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(TABLE_TEXT_MAX);
    struct source source;
    int number;

    if (!source_open_file(&source, "open database", argument, err))
        return NULL;
    struct map *m = memory_new();
    while (source_next(&source, &line, &number))
        texthash_line(m, argument, buf_slice(&line), number, (flags & TABLE_FOLD) != 0, warnings);
    source_done(&source);
    return m;
}

const struct table_type table_texthash = {
    .name = "texthash", .open = texthash_open, .close = memory_free, .get = memory_get, .each = memory_each,
    .file_suffix = "",
};

/* ---- inline ---- */

/* One "name=value" or, from "{...}", "name = value". */
static bool inline_pair(struct map *m, slice pair, bool braced, bool fold, slice all, struct err *err)
{
    AUTO_BUF struct buf folded = BUF_INIT(TABLE_TEXT_MAX);
    slice key;

    if (!cut_until(&pair, '=', &key))
        return err_set(err, ERR_CONFIG, "missing '=' after attribute name: \"inline:%.*s\"; need \"inline:{name=value...}\"",
                       S_ARG(all));
    if (braced) {
        key = slice_trim(key);
        pair = slice_trim(pair);
    }
    if (key.n == 0)
        return err_set(err, ERR_CONFIG, "missing attribute name: \"inline:%.*s\"; need \"inline:{name=value...}\"", S_ARG(all));
    if (fold && table_fold(key, &folded))
        key = buf_slice(&folded);
    free(map_set(m, key, value_new(pair)));
    return true;
}

static void *inline_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    slice all = argument, rest, pair;
    enum conf_got got;
    bool braced;

    (void)warnings;
    if (!cut_braces(&all, &rest) || slice_trim(all).n > 0 || rest.n == 0) {
        err_set(err, ERR_CONFIG, "bad syntax: \"inline:%.*s\"; need \"inline:{name=value...}\"", S_ARG(argument));
        return NULL;
    }
    struct map *m = memory_new();
    while ((got = conf_next_item(&rest, ", \t\r\n", &pair, &braced, err)) == CONF_ITEM) {
        if (!inline_pair(m, pair, braced, (flags & TABLE_FOLD) != 0, argument, err))
            break;
    }
    if (got == CONF_END)
        return m;
    memory_free(m);
    return NULL;
}

const struct table_type table_inline = {
    .name = "inline", .open = inline_open, .close = memory_free, .get = memory_get, .each = memory_each,
};
