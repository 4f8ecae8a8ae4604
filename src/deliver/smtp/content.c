#include "deliver/smtp/content.h"

#include "core/base/cut.h"
#include "deliver/smtp/generic.h"
#include "mail/events/events.h"

enum { ACTION_MOST = 1 << 20, WORK_BYTES = 64 << 20, SHOWN_BYTES = 60 };

bool content_is_changed(const struct settings *s)
{
    static const enum map_use uses[] = {MAP_GENERIC, MAP_HEADER, MAP_MIME_HEADER, MAP_NESTED_HEADER, MAP_BODY};

    for (size_t i = 0; i < COUNT_OF(uses); i++)
        if (!client_map_is_empty(s, uses[i]))
            return true;
    return false;
}

/* ---- checks ---- */

/* A line, and what a table has for it. */
struct check {
    struct content *c;
    enum map_use use;
    slice text;   /* may be replaced */
    slice before; /* a line that goes before it; empty: none */
    bool dropped;
    slice argument; /* of the action */
};

static const char *kind_of(const struct check *k)
{
    return k->use == MAP_BODY ? "body" : "header";
}

static const char *parameter_of(const struct check *k)
{
    return k->c->settings->maps[k->use].parameter;
}

static void tell(const struct check *k, const char *action)
{
    event_info("%.*s: %s: %s %.*s%s%.*s", S_ARG(k->c->queue_id), action, kind_of(k),
               S_ARG(slice_head(k->text, SHOWN_BYTES)), k->argument.n > 0 ? ": " : "", S_ARG(k->argument));
}

/* Text that is to stand beside a header must be one. */
static bool text_fits(const struct check *k, const char *word)
{
    slice name, value;
    enum header_kind kind;

    if (k->argument.n == 0) {
        event_warning("%s action without text in %s map", word, parameter_of(k));
        return false;
    }
    if (k->use == MAP_BODY || header_line_parse(k->argument, &name, &kind, &value))
        return true;
    event_warning("bad %s header text \"%.*s\" in %s map -- need \"headername: headervalue\"", word, S_ARG(k->argument),
                  parameter_of(k));
    return false;
}

static void do_replace(struct check *k)
{
    if (!text_fits(k, "REPLACE"))
        return;
    tell(k, "replace");
    k->text = k->argument;
}

static void do_prepend(struct check *k)
{
    if (!text_fits(k, "PREPEND"))
        return;
    tell(k, "prepend");
    k->before = k->argument;
}

static void do_strip(struct check *k)
{
    tell(k, "strip");
    k->dropped = true;
}

static void do_ignore(struct check *k)
{
    k->dropped = true;
}

static void do_warn(struct check *k)
{
    tell(k, "warning");
}

static void do_info(struct check *k)
{
    tell(k, "info");
}

static void do_nothing(struct check *k)
{
    (void)k;
}

static const struct {
    slice word;
    void (*act)(struct check *k);
} actions[] = {
    {S_INIT("REPLACE"), do_replace}, {S_INIT("PREPEND"), do_prepend}, {S_INIT("STRIP"), do_strip},
    {S_INIT("IGNORE"), do_ignore},   {S_INIT("WARN"), do_warn},       {S_INIT("INFO"), do_info},
    {S_INIT("DUNNO"), do_nothing},   {S_INIT("OK"), do_nothing},
};

static void act(struct check *k, slice action)
{
    slice rest = action, word;

    if (!cut_word(&rest, " \t\r\n", &word))
        return;
    (void)cut_blanks(&rest);
    k->argument = rest;
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (slice_eq_case(actions[i].word, word)) {
            actions[i].act(k);
            return;
        }
    event_warning("unsupported command in %s map: %.*s", parameter_of(k), S_ARG(action));
}

static bool ask(struct check *k, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(ACTION_MOST);
    slice action;

    switch (client_map_get(k->c->settings, k->use, k->text, &value, err)) {
    case TABLE_FAILED:
        event_warning("%.*s: smtp %s checks lookup error", S_ARG(k->c->queue_id), kind_of(k));
        return false;
    case TABLE_NOT_FOUND:
        return true;
    case TABLE_FOUND:
        break;
    }
    if (!arena_copy(&k->c->work, buf_slice(&value), &action))
        return err_set(err, ERR_LIMIT, "no memory for a content check");
    act(k, action);
    return true;
}

/* ---- what is followed ---- */

static enum map_use use_of(const struct mime *m, enum header_kind kind)
{
    switch (kind) {
    case HEADER_CONTENT_DESCRIPTION:
    case HEADER_CONTENT_DISPOSITION:
    case HEADER_CONTENT_ID:
    case HEADER_CONTENT_TRANSFER_ENCODING:
    case HEADER_CONTENT_TYPE:
    case HEADER_MIME_VERSION:
        return MAP_MIME_HEADER;
    default:
        return m->place == MIME_PART ? MAP_MIME_HEADER : m->place == MIME_PRIMARY ? MAP_HEADER : MAP_NESTED_HEADER;
    }
}

static bool header(void *arg, enum header_kind kind, slice text, bool ended, struct err *err)
{
    struct content *c = arg;
    struct check k = {.c = c, .use = use_of(&c->follow.mime, kind), .text = text};

    arena_reset(&c->work);
    if (!ask(&k, err))
        return false;
    if (k.before.n > 0 && !follow_put_lines(k.before, true, c->put, c->arg, err))
        return false;
    if (k.dropped)
        return true;
    if (c->follow.mime.place == MIME_PRIMARY && !generic_header(c->settings, kind, k.text, &c->work, &k.text, err))
        return false;
    return follow_put_lines(k.text, ended, c->put, c->arg, err);
}

static bool piece(void *arg, slice text, bool ends_line, struct err *err)
{
    struct content *c = arg;

    return c->put(c->arg, text, ends_line, err);
}

static bool headers_end(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    return true;
}

static bool body(void *arg, slice text, bool ends_line, bool boundary, struct err *err)
{
    struct content *c = arg;
    struct check k = {.c = c, .use = MAP_BODY, .text = text};

    arena_reset(&c->work);
    if (!boundary && text.n > 0 && !ask(&k, err))
        return false;
    if (k.before.n > 0 && !c->put(c->arg, k.before, true, err))
        return false;
    return k.dropped || c->put(c->arg, k.text, ends_line, err);
}

/* ---- its life ---- */

void content_init(struct content *c, const struct settings *s, slice queue_id)
{
    const struct follow_hooks hooks = {c, header, piece, headers_end, body};
    const struct params *p = s->params;

    *c = (struct content){.settings = s, .queue_id = queue_id};
    follow_init(&c->follow, &hooks, (size_t)p->header_size_limit, (size_t)p->mime_boundary_length_limit,
                (unsigned)p->mime_nesting_limit);
    arena_init(&c->work, WORK_BYTES);
}

void content_done(struct content *c)
{
    follow_done(&c->follow);
    arena_done(&c->work);
}

bool content_text(void *content, slice text, bool ends_line, struct err *err)
{
    struct content *c = content;

    return follow_text(&c->follow, text, ends_line, err);
}

bool content_end(struct content *c, struct err *err)
{
    return follow_end(&c->follow, err);
}
