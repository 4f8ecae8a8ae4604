/* Content checks: header_checks, mime_header_checks, nested_header_checks, body_checks, and what strict_* parameters
 * refuse. Source: header_checks(5); the texts are those observed of the field's cleanup(8). */
#include "core/base/cut.h"
#include "mail/envelope/outcome.h"
#include "mail/events/events.h"
#include "receive/cleanup/maps.h"
#include "receive/cleanup/message.h"

enum { ACTION_MOST = 1 << 20 };

bool checks_wanted(const struct message *m)
{
    if ((m->flags & CLEANUP_FILTER) == 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(m->desk->checks); i++)
        if (!tables_empty(m->desk->checks[i].tables))
            return true;
    return false;
}

void checks_log(const struct message *m, const char *action, const char *subject, slice text, bool client,
                      slice note)
{
    const struct event_inspected e = {
        .id = slice_text(output_id(&m->output)),
        .action = action,
        .subject = subject,
        .text = text,
        .origin = m->origin.n > 0 ? m->origin : S("local"),
        .sender = m->sender,
        .recipient = buf_slice(&m->last_recipient),
        .protocol = client ? m->protocol : S(""),
        .helo = client ? m->helo : S(""),
        .note = note,
    };

    event_inspected(&e);
}

/* One line and the action that a table has for it. */
struct check {
    struct message *m;
    const char *map; /* "header_checks" */
    bool is_body;
    struct rewriter_text *text;
    slice word, argument; /* of the action; ARGUMENT lives as long as the record */
};

static void log_action(const struct check *c, const char *action, slice note)
{
    checks_log(c->m, action, c->is_body ? "body" : "header", c->text->text, true, note);
}

/* ---- actions ---- */

static enum rewriter_verdict do_reject(const struct check *c)
{
    static const char fallback[] = "message content rejected";
    struct message *m = c->m;
    slice rest = c->argument;
    struct dsn_code code;
    bool coded = cut_dsn_code(&rest, &code) && code.class != 2, good;

    rest = coded ? slice_trim(rest) : c->argument;
    if (rest.n == 0)
        rest = slice_text(fallback);
    if (!coded)
        code = (struct dsn_code){5, 7, 1};
    good = arena_printf(&m->arena, &m->reason, "%d.%d.%d %.*s", code.class, code.subject, code.detail, S_ARG(rest));
    log_action(c, "reject", good ? m->reason : rest);
    m->unchecked = true;
    message_reject(m, code.class == 4 ? CLEANUP_TEMPORARY : CLEANUP_CONTENT, NULL);
    return message_is_lost(m) ? REWRITER_STOP : REWRITER_KEEP;
}

static enum rewriter_verdict do_discard(const struct check *c)
{
    log_action(c, "discard", c->argument);
    c->m->flags |= CLEANUP_DISCARD;
    c->m->unchecked = true;
    return REWRITER_STOP;
}

static enum rewriter_verdict do_hold(const struct check *c)
{
    if ((c->m->flags & CLEANUP_HOLD) == 0)
        log_action(c, "hold", c->argument);
    c->m->flags |= CLEANUP_HOLD;
    return REWRITER_KEEP;
}

static enum rewriter_verdict do_warn(const struct check *c)
{
    log_action(c, "warning", c->argument);
    return REWRITER_KEEP;
}

static enum rewriter_verdict do_info(const struct check *c)
{
    log_action(c, "info", c->argument);
    return REWRITER_KEEP;
}

static enum rewriter_verdict do_strip(const struct check *c)
{
    log_action(c, "strip", c->argument);
    return REWRITER_DROP;
}

static enum rewriter_verdict do_ignore(const struct check *c)
{
    (void)c;
    return REWRITER_DROP;
}

static enum rewriter_verdict do_dunno(const struct check *c)
{
    (void)c;
    return REWRITER_KEEP;
}

static enum rewriter_verdict do_pass(const struct check *c)
{
    log_action(c, "pass", c->argument);
    c->m->unchecked = true;
    return REWRITER_KEEP;
}

/* Text that is to stand beside a header must be one. */
static bool text_fits(const struct check *c, const char *word)
{
    slice name, value;
    enum header_kind kind;

    if (c->argument.n == 0) {
        event_warning("%s action without text in %s map", word, c->map);
        return false;
    }
    if (c->is_body || header_line_parse(c->argument, &name, &kind, &value))
        return true;
    event_warning("bad %s header text \"%.*s\" in %s map -- need \"headername: headervalue\"", word, S_ARG(c->argument),
                  c->map);
    return false;
}

static enum rewriter_verdict do_prepend(const struct check *c)
{
    if (text_fits(c, "PREPEND")) {
        log_action(c, "prepend", c->argument);
        c->text->before = c->argument;
    }
    return REWRITER_KEEP;
}

static enum rewriter_verdict do_replace(const struct check *c)
{
    if (text_fits(c, "REPLACE")) {
        log_action(c, "replace", c->argument);
        c->text->text = c->argument;
    }
    return REWRITER_KEEP;
}

static bool has_domain(slice address)
{
    size_t at = slice_find(address, '@');

    return at != SLICE_NONE && at > 0 && at + 1 < address.n;
}

static enum rewriter_verdict do_redirect(const struct check *c)
{
    if (!has_domain(c->argument)) {
        event_warning("bad REDIRECT target \"%.*s\" in %s map -- need user@domain", S_ARG(c->argument), c->map);
        return REWRITER_KEEP;
    }
    log_action(c, "redirect", c->argument);
    c->m->unchecked = true;
    if (!arena_copy(&c->m->arena, c->argument, &c->m->redirect))
        message_reject(c->m, CLEANUP_BAD, "too many content check results");
    return REWRITER_KEEP;
}

static enum rewriter_verdict do_filter(const struct check *c)
{
    if (c->argument.n == 0) {
        event_warning("missing FILTER command argument in %s map", c->map);
        return REWRITER_KEEP;
    }
    if (slice_find(c->argument, ':') == SLICE_NONE) {
        event_warning("bad FILTER command %.*s in %s -- need transport:destination", S_ARG(c->argument), c->map);
        return REWRITER_KEEP;
    }
    log_action(c, "filter", c->argument);
    if (!arena_copy(&c->m->arena, c->argument, &c->m->filter))
        message_reject(c->m, CLEANUP_BAD, "too many content check results");
    return REWRITER_KEEP;
}

static enum rewriter_verdict do_bcc(const struct check *c)
{
    struct bcc *bcc;

    if (!has_domain(c->argument)) {
        event_warning("bad BCC address \"%.*s\" in %s map -- need user@domain", S_ARG(c->argument), c->map);
        return REWRITER_KEEP;
    }
    log_action(c, "bcc", c->argument);
    bcc = arena_alloc_array(&c->m->arena, 1, sizeof *bcc);
    if (bcc == NULL || !arena_copy(&c->m->arena, c->argument, &bcc->address)) {
        message_reject(c->m, CLEANUP_BAD, "too many content check results");
        return REWRITER_KEEP;
    }
    bcc->next = NULL;
    *c->m->bcc_end = bcc;
    c->m->bcc_end = &bcc->next;
    return REWRITER_KEEP;
}

static const struct {
    slice word;
    enum rewriter_verdict (*act)(const struct check *c);
} actions[] = {
    {S_INIT("REJECT"), do_reject},     {S_INIT("DISCARD"), do_discard}, {S_INIT("HOLD"), do_hold},
    {S_INIT("WARN"), do_warn},         {S_INIT("INFO"), do_info},       {S_INIT("IGNORE"), do_ignore},
    {S_INIT("STRIP"), do_strip},       {S_INIT("DUNNO"), do_dunno},     {S_INIT("OK"), do_dunno},
    {S_INIT("PASS"), do_pass},         {S_INIT("PREPEND"), do_prepend}, {S_INIT("REPLACE"), do_replace},
    {S_INIT("REDIRECT"), do_redirect}, {S_INIT("FILTER"), do_filter},   {S_INIT("BCC"), do_bcc},
};

static enum rewriter_verdict act(struct check *c, slice action)
{
    slice rest = action;

    if (!cut_word(&rest, " \t\r\n", &c->word))
        return REWRITER_KEEP;
    c->argument = rest;
    (void)cut_blanks(&c->argument);
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (slice_eq_case(actions[i].word, c->word))
            return actions[i].act(c);
    event_warning("unknown command in %s map: %.*s", c->map, S_ARG(action));
    return REWRITER_KEEP;
}

/* ---- the rewriter's hooks ---- */

enum rewriter_verdict checks_ask(void *context, enum rewriter_line line, struct rewriter_text *text, deadline by)
{
    struct message *m = context;
    const struct address_map *map = &m->desk->checks[line];
    struct check c = {.m = m, .map = map->name, .is_body = line == REWRITER_BODY, .text = text};
    AUTO_BUF struct buf value = BUF_INIT(ACTION_MOST);
    struct err err;
    slice action;

    if (m->unchecked || tables_empty(map->tables))
        return REWRITER_KEEP;
    switch (tables_get(map->tables, text->text, by, &value, &err)) {
    case TABLE_NOT_FOUND:
        return REWRITER_KEEP;
    case TABLE_FAILED:
        maps_log_failure(map->tables, text->text, &err);
        event_warning("%s: %s map lookup problem -- message not accepted, try again later", output_id(&m->output),
                      map->name);
        m->status |= CLEANUP_WRITE;
        return REWRITER_STOP;
    case TABLE_FOUND:
        break;
    }
    if (!arena_copy(&m->work, buf_slice(&value), &action)) {
        message_reject(m, CLEANUP_BAD, "too many content check results");
        return REWRITER_STOP;
    }
    return act(&c, action);
}

void checks_fault(void *context, enum rewriter_fault fault, slice text)
{
    static const char *const whats[] = {
        [REWRITER_8BIT_HEADER] = "improper use of 8-bit data in message header",
        [REWRITER_8BIT_BODY] = "improper use of 8-bit data in message body",
        [REWRITER_ENCODED_PARTS] = "invalid message/* or multipart/* encoding domain",
    };
    struct message *m = context;
    char subject[100];

    if ((m->faults & 1U << fault) != 0)
        return; /* one of a kind will do */
    m->faults |= 1U << fault;
    (void)snprintf(subject, sizeof subject, "mime-error %s:", whats[fault]);
    checks_log(m, "reject", subject, text, false, S(""));
    if (m->fault.n == 0 && !arena_printf(&m->arena, &m->fault, "5.6.0 %s", whats[fault]))
        m->fault = S("5.6.0");
}
