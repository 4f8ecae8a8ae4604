#include "mail/policy/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/policy/internal.h"

enum { POLICY_ARENA_BYTES = 4 << 20, TEXT_MOST = 600, DEPTH_MOST = 20 };

static slice formatted(struct arena *arena, const char *format, va_list args)
{
    char text[TEXT_MOST];
    slice out = S("");
    int n = vsnprintf(text, sizeof text, format, args);

    if (n >= (int)sizeof text)
        n = (int)sizeof text - 1;
    if (n < 0 || !arena_copy(arena, slice_of(text, (size_t)n), &out))
        return S("Error: insufficient memory");
    return out;
}

enum walk_result walk_refuse(struct walk *w, int code, const char *dsn, const char *format, ...)
{
    va_list args;
    slice text;

    va_start(args, format);
    text = formatted(w->question->arena, format, args);
    va_end(args);
    if (w->warn_if_reject) {
        walk_note(w, "reject_warning", S(""), "%d %s %.*s", code, dsn, S_ARG(text));
        return WALK_ON;
    }
    if (w->defer_if_reject && code >= 500) {
        code = 450;
        dsn = "4.7.0";
        text = w->defer_text;
    }
    w->answer.code = code;
    w->answer.text = text;
    w->answer.disconnect = code == 421 || code == 521;
    if (!dsn_code_parse(slice_text(dsn), &w->answer.dsn) || w->answer.dsn.class != code / 100)
        w->answer.dsn = (struct dsn_code){code / 100, 7, 1};
    return WALK_REFUSE;
}

enum walk_result walk_trouble(struct walk *w, slice about, const char *what, const struct err *err)
{
    (void)buf_addf(w->warning, "%s", err->text);
    return walk_refuse(w, 451, "4.3.0", "<%.*s>: %s lookup failure", S_ARG(about), what);
}

enum walk_result walk_misconfigured(struct walk *w, const char *format, ...)
{
    va_list args;
    slice text;

    va_start(args, format);
    text = formatted(w->question->arena, format, args);
    va_end(args);
    (void)buf_add(w->warning, text);
    return walk_refuse(w, 451, "4.3.5", "Server configuration error");
}

void walk_note(struct walk *w, const char *verb, slice argument, const char *format, ...)
{
    struct policy_note *note = ARENA_NEW(w->question->arena, struct policy_note);
    va_list args;

    if (note == NULL)
        return;
    va_start(args, format);
    note->text = formatted(w->question->arena, format, args);
    va_end(args);
    note->verb = verb;
    if (!arena_copy(w->question->arena, argument, &note->argument))
        note->argument = S("");
    *w->tail = note;
    w->tail = &note->next;
}

bool walk_resolve(struct walk *w)
{
    struct policy_question *q = w->question;
    struct err err;

    if (q->is_resolved)
        return true;
    if (!address_resolve(q->resolver, q->sender.p == NULL ? S("") : q->sender, q->recipient, q->arena, q->by, &q->resolved,
                         &err)) {
        (void)walk_trouble(w, q->recipient, "Address", &err);
        return false;
    }
    if (q->resolved.flags & RESOLVE_FAIL) {
        (void)walk_refuse(w, 451, "4.3.0", "<%.*s>: Temporary lookup failure", S_ARG(q->recipient));
        return false;
    }
    q->is_resolved = true;
    return true;
}

/* warn_if_reject covers the one restriction behind it; a list that this restriction leads to is covered as a whole. */
enum walk_result restriction_list_walk(struct walk *w, const struct restriction_list *list)
{
    bool inherited = w->warn_if_reject;

    if (++w->depth > DEPTH_MOST)
        return walk_misconfigured(w, "restriction classes nested deeper than %d", DEPTH_MOST);
    for (size_t i = 0; i < list->count; i++) {
        enum walk_result r = list->uses[i].what->check(w, &list->uses[i]);

        if (!list->uses[i].what->is_prefix)
            w->warn_if_reject = inherited;
        if (r != WALK_ON) {
            w->depth--;
            return r;
        }
    }
    w->depth--;
    return WALK_ON;
}

static bool add_use(struct policy *p, struct restriction_list *list, struct restriction_use use)
{
    struct restriction_use *grown = arena_alloc_array(&p->arena, list->count + 1, sizeof *grown);

    if (grown == NULL)
        return false;
    if (list->count > 0)
        memcpy(grown, list->uses, list->count * sizeof *grown);
    grown[list->count++] = use;
    list->uses = grown;
    return true;
}

/* check_x_access may be written with its table as the next word; a bare type:name is check_*_access of the list's own kind,
 * which Postfix warns about as out of style; it is refused here with a clear text. */
bool restriction_list_parse(struct policy *p, slice text, struct restriction_list *out, struct err *err)
{
    struct restriction_list list = {0};
    slice word;
    bool braced;
    enum conf_got got;

    while ((got = conf_next_item(&text, ", \t\r\n", &word, &braced, err)) == CONF_ITEM) {
        struct restriction_use use = {.what = restriction_find(word)};

        if (!arena_copy(&p->arena, word, &use.name))
            return err_set(err, ERR_LIMIT, "restriction lists are too large");
        if (use.what == NULL)
            return err_set(err, ERR_CONFIG, "unknown smtpd restriction: \"%.*s\"", S_ARG(word));
        if (use.what->takes_table) {
            slice table;

            if (conf_next_item(&text, ", \t\r\n", &table, &braced, err) != CONF_ITEM)
                return err_set(err, ERR_CONFIG, "restriction %.*s needs a table argument", S_ARG(word));
            use.access = table_open(table, TABLE_FOLD, err);
            if (use.access == NULL)
                return err_note(err, "%.*s", S_ARG(word));
        }
        if (!add_use(p, &list, use))
            return err_set(err, ERR_LIMIT, "restriction lists are too large");
    }
    if (got == CONF_FAILED)
        return false;
    *out = list;
    return true;
}

/* Does LIST refuse mail for strangers somewhere a client without rights gets to? */
static bool list_guards(const struct restriction_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        bool only_warns = i > 0 && list->uses[i - 1].what->is_prefix;

        if (list->uses[i].what->ends_list)
            return false;
        if (list->uses[i].what->guards_relaying && !only_warns)
            return true;
    }
    return false;
}

/* A server without any of these would relay for the whole world. */
static bool relaying_is_guarded(const struct policy *p, struct err *err)
{
    return list_guards(&p->lists[POLICY_RELAY]) || list_guards(&p->lists[POLICY_RECIPIENT]) ||
           err_set(err, ERR_CONFIG,
                   "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working "
                   "instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or "
                   "check_relay_domains");
}

static bool open_lists(struct policy *p, struct err *err)
{
    const struct params *c = p->params;
    const struct {
        enum policy_list list;
        const char *name, *text;
    } rows[] = {
        {POLICY_CLIENT, "smtpd_client_restrictions", c->smtpd_client_restrictions},
        {POLICY_HELO, "smtpd_helo_restrictions", c->smtpd_helo_restrictions},
        {POLICY_SENDER, "smtpd_sender_restrictions", c->smtpd_sender_restrictions},
        {POLICY_RELAY, "smtpd_relay_restrictions", c->smtpd_relay_restrictions},
        {POLICY_RECIPIENT, "smtpd_recipient_restrictions", c->smtpd_recipient_restrictions},
        {POLICY_DATA, "smtpd_data_restrictions", c->smtpd_data_restrictions},
        {POLICY_END_OF_DATA, "smtpd_end_of_data_restrictions", c->smtpd_end_of_data_restrictions},
        {POLICY_ETRN, "smtpd_etrn_restrictions", c->smtpd_etrn_restrictions},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (!restriction_list_parse(p, slice_text(rows[i].text), &p->lists[rows[i].list], err))
            return err_note(err, "%s", rows[i].name);
    return relaying_is_guarded(p, err);
}

static bool open_tables(struct policy *p, struct err *err)
{
    const struct params *c = p->params;
    struct {
        struct tables **to;
        const char *name, *list;
    } rows[] = {
        {&p->local_recipients, "local_recipient_maps", c->local_recipient_maps},
        {&p->virtual_aliases, "virtual_alias_maps", c->virtual_alias_maps},
        {&p->virtual_mailboxes, "virtual_mailbox_maps", c->virtual_mailbox_maps},
        {&p->relay_recipients, "relay_recipient_maps", c->relay_recipient_maps},
        {&p->canonical, "canonical_maps", c->canonical_maps},
        {&p->recipient_canonical, "recipient_canonical_maps", c->recipient_canonical_maps},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf warning = BUF_INIT(500);

        *rows[i].to = tables_open(slice_text(rows[i].list), TABLE_FOLD, &warning, err);
        if (*rows[i].to == NULL)
            return err_note(err, "%s", rows[i].name);
    }
    p->mynetworks = match_list_open(slice_text(c->mynetworks), MATCH_HOST, true, err);
    if (p->mynetworks == NULL)
        return err_note(err, "mynetworks");
    p->bare_newline_exclusions = match_list_open(slice_text(c->smtpd_forbid_bare_newline_exclusions), MATCH_HOST, true, err);
    return p->bare_newline_exclusions != NULL || err_note(err, "smtpd_forbid_bare_newline_exclusions");
}

struct policy *policy_open(struct params *params, struct err *err)
{
    struct policy *p = xcalloc(1, sizeof *p);

    p->params = params;
    arena_init(&p->arena, POLICY_ARENA_BYTES);
    if (!open_lists(p, err) || !open_tables(p, err)) {
        policy_close(p);
        return NULL;
    }
    return p;
}

void policy_close(struct policy *p)
{
    struct tables *tables[] = {p->local_recipients, p->virtual_aliases, p->virtual_mailboxes,
                               p->relay_recipients, p->canonical,       p->recipient_canonical};

    for (size_t l = 0; l < POLICY_LISTS; l++)
        for (size_t i = 0; i < p->lists[l].count; i++)
            if (p->lists[l].uses[i].access != NULL)
                table_close(p->lists[l].uses[i].access);
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        if (tables[i] != NULL)
            tables_close(tables[i]);
    if (p->mynetworks != NULL)
        match_list_close(p->mynetworks);
    if (p->bare_newline_exclusions != NULL)
        match_list_close(p->bare_newline_exclusions);
    arena_done(&p->arena);
    free(p);
}

bool policy_changed(void *policy, struct buf *name)
{
    struct policy *p = policy;
    struct tables *tables[] = {p->local_recipients, p->virtual_aliases, p->virtual_mailboxes,
                               p->relay_recipients, p->canonical,       p->recipient_canonical};

    for (size_t i = 0; i < COUNT_OF(tables); i++)
        if (tables_changed(tables[i], name))
            return true;
    for (size_t l = 0; l < POLICY_LISTS; l++)
        for (size_t i = 0; i < p->lists[l].count; i++) {
            struct table *t = p->lists[l].uses[i].access;

            if (t != NULL && table_changed(t))
                return buf_add_text(name, table_name(t));
        }
    return false;
}

static struct walk walk_begin(struct policy *p, struct policy_question *q, struct buf *warning)
{
    return (struct walk){.policy = p, .question = q, .warning = warning};
}

static struct policy_answer walk_end(struct walk *w, enum walk_result r)
{
    if (r != WALK_REFUSE && w->defer_if_permit && walk_refuse(w, 450, "4.7.0", "%.*s", S_ARG(w->defer_text)) == WALK_REFUSE)
        r = WALK_REFUSE;
    w->answer.verdict = r == WALK_REFUSE ? POLICY_REFUSE : r == WALK_PERMIT ? POLICY_PERMIT : POLICY_DUNNO;
    return w->answer;
}

struct policy_answer policy_ask(struct policy *p, enum policy_list list, struct policy_question *q, struct buf *warning)
{
    struct walk w = walk_begin(p, q, warning);

    w.tail = &w.answer.notes;
    return walk_end(&w, restriction_list_walk(&w, &p->lists[list]));
}

struct policy_answer policy_listed_recipient(struct policy *p, struct policy_question *q, struct buf *warning)
{
    struct walk w = walk_begin(p, q, warning);

    w.tail = &w.answer.notes;
    return walk_end(&w, listed_check(&w));
}

static bool client_in(struct match_list *list, const struct policy_question *q)
{
    struct err err;

    return match_list_has(list, q->client_name, q->client_address, q->by, &err) == TABLE_FOUND;
}

bool policy_in_mynetworks(struct policy *p, struct policy_question *q)
{
    return client_in(p->mynetworks, q);
}

bool policy_excludes_bare_newline(struct policy *p, struct policy_question *q)
{
    return client_in(p->bare_newline_exclusions, q);
}

void policy_warm_up(struct policy *p, deadline by)
{
    AUTO_BUF struct buf value = BUF_INIT(64 * 1024);
    struct err err;

    if (tables_get(p->local_recipients, S("postmaster"), by, &value, &err) == TABLE_FAILED)
        return; /* the first recipient will meet it and say so */
}
