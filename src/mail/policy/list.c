#include "mail/policy/list.h"

#include "core/base/cut.h"
#include "mail/policy/delegate.h"
#include "mail/policy/policy_inner.h"

enum { DEPTH_MOST = 100 };

/* ---- parsing ---- */
static void warn(const struct list_parser *parser, slice text)
{
    if (parser->warnings == NULL)
        return;
    if (!buf_addf(parser->warnings, "%s%s%.*s\n", parser->parameter, parser->parameter[0] != '\0' ? ": " : "",
                  S_ARG(text)))
        return; /* what fits is logged */
}

static void cannot(const struct list_parser *parser, struct restriction_use *use, slice problem)
{
    use->what = NULL;
    use->problem = problem;
    if (parser->may_open)
        warn(parser, problem);
}

static bool is_table_name(slice word)
{
    return slice_find(word, ':') != SLICE_NONE;
}

static void open_table(const struct list_parser *parser, struct restriction_use *use, slice name)
{
    struct err err;

    if (!is_table_name(name)) {
        cannot(parser, use,
               arena_format(parser->arena, S("bad restriction argument"),
                            "restriction %s: bad argument \"%.*s\": need maptype:mapname", use->what->name,
                            S_ARG(name)));
        return;
    }
    use->access = table_open(name, TABLE_FOLD, &err);
    if (use->access == NULL)
        cannot(parser, use, arena_format(parser->arena, S("bad table"), "%s", err.text));
    else if (table_problem(use->access) != NULL && parser->warnings != NULL &&
             !buf_addf(parser->warnings, "error: %s\n", table_problem(use->access)->text))
        return;
}

static void open_server(const struct list_parser *parser, struct restriction_use *use, slice text)
{
    struct err err;

    use->server = policy_server_open(parser->policy, text, &err);
    if (use->server == NULL)
        cannot(parser, use, arena_format(parser->arena, S("bad policy server"), "%s", err.text));
}

/* A restriction's argument is the next word; without one, Postfix takes the restriction's own name for it. */
static void take_argument(const struct list_parser *parser, struct restriction_use *use, slice word)
{
    if (!arena_copy(parser->arena, word, &use->argument))
        use->argument = S("");
    if (use->what->argument == ARGUMENT_TABLE)
        open_table(parser, use, use->argument);
    else if (use->what->argument == ARGUMENT_SERVER)
        open_server(parser, use, use->argument);
}

static const char table_inside_table[] = "do not specify lookup tables inside SMTPD access maps\n"
                                         "define a restriction class and specify its name instead.";

static void find(const struct list_parser *parser, struct restriction_use *use, slice word, slice *rest)
{
    bool braced = false, bare = is_table_name(word);
    slice argument = word;
    struct err err;

    if (bare && !parser->may_open) {
        cannot(parser, use, slice_text(table_inside_table));
        return;
    }
    use->what = restriction_find(bare ? slice_text(parser->bare_table) : word);
    if (use->what == NULL) {
        use->class = policy_class(parser->policy, word);
        if (use->class == NULL)
            cannot(parser, use,
                   arena_format(parser->arena, S("unknown smtpd restriction"), "unknown smtpd restriction: \"%.*s\"",
                                S_ARG(word)));
        return;
    }
    if (use->what->argument == ARGUMENT_NONE)
        return;
    if (!bare && conf_next_item(rest, ", \t\r\n", &argument, &braced, &err) != CONF_ITEM)
        argument = use->what->argument == ARGUMENT_TABLE ? word : S("");
    if (use->what->argument == ARGUMENT_SERVER && braced)
        argument = arena_format(parser->arena, S(""), "{ %.*s }", S_ARG(slice_trim(argument)));
    if (!parser->may_open && (use->what->argument == ARGUMENT_TABLE || use->what->argument == ARGUMENT_SERVER))
        cannot(parser, use, slice_text(table_inside_table));
    else
        take_argument(parser, use, argument);
}

static bool add_use(struct arena *arena, struct restriction_list *list, struct restriction_use use)
{
    struct restriction_use *grown = arena_alloc_array(arena, list->count + 1, sizeof *grown);

    if (grown == NULL)
        return false;
    if (list->count > 0)
        memcpy(grown, list->uses, list->count * sizeof *grown);
    grown[list->count++] = use;
    list->uses = grown;
    return true;
}

bool restriction_list_parse(const struct list_parser *parser, slice text, struct restriction_list *out, struct err *err)
{
    bool braced, ended = false;
    enum conf_got got;
    slice word;

    *out = (struct restriction_list){0};
    while ((got = conf_next_item(&text, ", \t\r\n", &word, &braced, err)) == CONF_ITEM) {
        struct restriction_use use = {0};

        if (ended) {
            warn(parser, arena_format(parser->arena, S("restrictions are ignored"),
                                      "restriction `%.*s' after `permit' is ignored", S_ARG(word)));
            break;
        }
        find(parser, &use, word, &text);
        if (!add_use(parser->arena, out, use))
            return err_set(err, ERR_LIMIT, "%s: no memory for so long a list", parser->parameter);
        ended = use.what != NULL && use.what->ends_list;
    }
    return got != CONF_FAILED;
}

void restriction_list_close(struct restriction_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->uses[i].access != NULL)
            table_close(list->uses[i].access);
    list->count = 0;
}

bool restriction_list_changed(const struct restriction_list *list, struct buf *name)
{
    for (size_t i = 0; i < list->count; i++) {
        struct table *t = list->uses[i].access;

        if (t != NULL && table_changed(t))
            return buf_add_text(name, table_name(t));
    }
    return false;
}

/* ---- walking ---- */
static enum walk_result use_check(struct walk *w, const struct restriction_use *use)
{
    if (use->class != NULL)
        return restriction_list_walk(w, use->class);
    if (use->what == NULL)
        return walk_misconfigured(w, "%.*s", S_ARG(use->problem));
    return use->what->check(w, use);
}

/* warn_if_reject covers the one restriction behind it; a list that this restriction leads to is covered as a whole. */
enum walk_result restriction_list_walk(struct walk *w, const struct restriction_list *list)
{
    bool inherited = w->warn_if_reject;
    enum walk_result r = WALK_ON;

    if (++w->depth > DEPTH_MOST)
        return walk_misconfigured(w, "SMTPD restriction nesting exceeds %d", DEPTH_MOST);
    for (size_t i = 0; r == WALK_ON && i < list->count; i++) {
        const struct restriction_use *use = &list->uses[i];

        r = use_check(w, use);
        if (r == WALK_PERMIT && use->what != NULL && use->what->permits_for != NULL)
            r = walk_permit(w, slice_text(use->what->name), use->what->permits_for(w), NULL);
        if (r == WALK_ON && walk_is_decided(w, &r))
            break;
        if (use->what == NULL || !use->what->is_prefix)
            w->warn_if_reject = inherited;
    }
    w->depth--;
    return r;
}

enum walk_result restriction_text_walk(struct walk *w, slice text, const char *table)
{
    const struct list_parser parser = {
        .arena = w->question->arena, .policy = w->policy, .warnings = w->warning, .parameter = ""};
    struct restriction_list list;
    enum walk_result result;
    struct err err;

    if (!restriction_list_parse(&parser, text, &list, &err))
        return walk_misconfigured(w, "access table %s: %s", table, err.text);
    for (size_t i = 0; i < list.count; i++)
        if (list.uses[i].problem.p == table_inside_table)
            walk_warn(w, "access table %s has entry with lookup table: %.*s", table, S_ARG(text));
    result = restriction_list_walk(w, &list);
    restriction_list_close(&list);
    return result;
}

bool restriction_list_guards(const struct restriction_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct restriction *what = list->uses[i].what;
        bool only_warns = i > 0 && list->uses[i - 1].what != NULL && list->uses[i - 1].what->is_prefix;

        if (list->uses[i].class != NULL && restriction_list_guards(list->uses[i].class) && !only_warns)
            return true;
        if (what == NULL)
            continue;
        if (what->ends_list)
            return false;
        if (what->guards_relaying && !only_warns)
            return true;
    }
    return false;
}
