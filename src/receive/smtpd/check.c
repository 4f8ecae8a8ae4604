/* Restriction lists at their moment: with smtpd_delay_reject, all up to the recipient's are asked at RCPT. */
#include "core/base/cut.h"
#include "mail/events/events.h"
#include "receive/smtpd/session.h"

static void add_prepend(struct session *s, slice line)
{
    struct prepend *p = ARENA_NEW(&s->message_arena, struct prepend), **at = &s->t.prepends;

    if (p == NULL || !arena_copy(&s->message_arena, line, &p->line))
        return;
    while (*at != NULL)
        at = &(*at)->next;
    *at = p;
}

static void add_bcc(struct session *s, slice address)
{
    struct bcc *b = ARENA_NEW(&s->message_arena, struct bcc), **at = &s->t.bccs;

    if (b == NULL || !arena_copy(&s->message_arena, address, &b->address))
        return;
    while (*at != NULL)
        at = &(*at)->next;
    *at = b;
}

/* Where the answer's side effects go: log lines, hold, discard, filter ... */
static void take_note(struct session *s, const char *where, const struct policy_note *note, slice recipient)
{
    slice verb = slice_text(note->verb);

    if (verb.n == 0) {
        event_info("%.*s", S_ARG(note->text));
        return;
    }
    if (slice_eq(verb, S("prepend"))) {
        add_prepend(s, note->argument);
        return;
    }
    if (slice_eq(verb, S("hold")) && s->t.held)
        return;
    session_log_action(s, note->verb, where, note->text, recipient);
    if (slice_eq(verb, S("hold")))
        s->t.held = true;
    else if (slice_eq(verb, S("discard")))
        s->t.discarded = true;
    else if (slice_eq(verb, S("filter")))
        s->t.filter = arena_keep(&s->message_arena, note->argument, s->t.filter);
    else if (slice_eq(verb, S("redirect")))
        s->t.redirect = arena_keep(&s->message_arena, note->argument, s->t.redirect);
    else if (slice_eq(verb, S("bcc")))
        add_bcc(s, note->argument);
}

/* What of WARNING came before UNTIL and has not been said yet. */
static void log_warnings(const struct buf *warning, size_t *said, size_t until)
{
    slice rest = slice_skip(slice_head(buf_slice(warning), until), *said), line;

    *said = until;
    while (cut_field(&rest, '\n', &line) && line.n > 0)
        event_warning("%.*s", S_ARG(line));
}

/* One question for this session; results live until the command ends. */
struct asking {
    struct policy_question question;
    struct arena arena;
};

static void asking_done(struct asking *a)
{
    arena_done(&a->arena);
}

static struct policy_session session_facts(const struct session *s, const char *where)
{
    return (struct policy_session){
        .protocol_state = slice_text(where),
        .protocol_name = s->is_esmtp ? S("ESMTP") : S("SMTP"),
        .client_port = s->client_port,
        .server_address = s->server_address,
        .server_port = s->server_port,
        .queue_id = s->t.queued ? slice_text(s->t.submission.queue_id) : S(""),
        .stress = slice_text(s->world->params->stress),
        .message_bytes = s->data_bytes >= 0 ? s->t.content_bytes : s->t.announced_bytes,
        .arrival_us = s->t.open ? s->t.arrival_us : 0,
        .message = s->t.number,
    };
}

static void asking_begin(struct asking *a, struct session *s, slice recipient, const char *where)
{
    *a = (struct asking){.arena = ARENA_INIT(1 << 20)};
    a->question = (struct policy_question){
        .resolver = s->world->resolver,
        .client_name = s->client_name,
        .client_address = s->client_address,
        .reverse_name = s->reverse_name,
        .client_name_uncertain = s->client_name_uncertain,
        .reverse_name_uncertain = s->reverse_name_uncertain,
        .client = s->client,
        .authenticated = s->sasl_username.n > 0,
        .client_is_own_address = s->is_own_address,
        .helo = s->helo,
        .sender = s->t.sender,
        .recipient = recipient,
        .recipients = s->t.recipients,
        .session = session_facts(s, where),
        .pipelined = s->pipelined,
        .if_permit = s->if_permit,
        .arena = &a->arena,
        .by = deadline_in(s->world->params->ipc_timeout_us),
    };
}

static bool conclude(struct session *s, const char *where, const struct policy_answer *a, slice recipient,
                     const struct buf *warning)
{
    size_t said = 0;

    for (const struct policy_note *note = a->notes; note != NULL; note = note->next) {
        log_warnings(warning, &said, note->warned);
        take_note(s, where, note, recipient);
    }
    log_warnings(warning, &said, warning->n);
    if (a->verdict != POLICY_REFUSE)
        return true;
    (void)session_refuse(s, where, a, recipient);
    return false;
}

static bool ask(struct session *s, struct asking *a, enum policy_list list, const char *where, slice recipient)
{
    AUTO_BUF struct buf warning = BUF_INIT(2000);
    struct policy_answer answer;

    a->question.arena = &a->arena;
    answer = policy_ask(s->world->policy, list, &a->question, &warning);
    return conclude(s, where, &answer, recipient, &warning);
}

/* Nothing refused: does a list want to defer then? */
static bool settle(struct session *s, const struct asking *a, const char *where, slice recipient)
{
    struct policy_answer answer = policy_settle(&a->question);

    if (answer.verdict != POLICY_REFUSE)
        return true;
    (void)session_refuse(s, where, &answer, recipient);
    return false;
}

static bool ask_listed(struct session *s, struct asking *a, const char *where, slice recipient,
                       struct policy_answer (*ask_policy)(struct policy *, struct policy_question *, struct buf *))
{
    AUTO_BUF struct buf warning = BUF_INIT(2000);
    struct policy_answer answer = ask_policy(s->world->policy, &a->question, &warning);

    return conclude(s, where, &answer, recipient, &warning);
}

/* A list that is asked at its own command; what it wants deferred is remembered for RCPT. */
static bool ask_early(struct session *s, struct asking *a, enum policy_list list, const char *where)
{
    struct policy_deferral *d = &s->if_permit;

    if (!ask(s, a, list, where, (slice){0}))
        return false;
    if (!d->active && a->question.if_permit.active) {
        *d = a->question.if_permit;
        d->text = arena_keep(&s->arena, d->text, S("Service unavailable"));
    }
    return true;
}

bool check_client(struct session *s, const char *where)
{
    CLEANUP(asking_done) struct asking a;

    if (s->world->standalone || s->world->params->smtpd_delay_reject)
        return true;
    asking_begin(&a, s, (slice){0}, where);
    return ask_early(s, &a, POLICY_CLIENT, where);
}

bool check_helo(struct session *s, slice name)
{
    CLEANUP(asking_done) struct asking a;
    const char *where = s->where == COMMAND_EHLO ? "EHLO" : "HELO";
    slice before = s->helo;
    bool good;

    if (s->world->standalone || s->world->params->smtpd_delay_reject)
        return true;
    asking_begin(&a, s, (slice){0}, where);
    a.question.helo = s->helo = name; /* the log line shows it */
    good = ask_early(s, &a, POLICY_HELO, where);
    s->helo = before;
    return good;
}

bool check_sender(struct session *s)
{
    CLEANUP(asking_done) struct asking a;

    if (s->world->standalone || s->world->params->smtpd_delay_reject)
        return true;
    asking_begin(&a, s, (slice){0}, "MAIL");
    return ask_early(s, &a, POLICY_SENDER, "MAIL") && (!s->world->params->smtpd_reject_unlisted_sender ||
                                                       ask_listed(s, &a, "MAIL", (slice){0}, policy_listed_sender));
}

/* With one recipient these lists see it, since what they say is said about that one. */
bool check_data(struct session *s, enum policy_list list, const char *where)
{
    CLEANUP(asking_done) struct asking a;
    slice recipient = session_only_recipient(s);

    if (s->world->standalone || s->t.discarded)
        return true;
    asking_begin(&a, s, recipient, where);
    a.question.if_permit.active = false;
    return ask(s, &a, list, where, recipient) && settle(s, &a, where, recipient);
}

bool check_recipient(struct session *s, slice recipient, const char *where)
{
    const struct params *c = s->world->params;
    const enum policy_list relay = c->smtpd_relay_before_recipient_restrictions ? POLICY_RELAY : POLICY_RECIPIENT;
    const struct {
        enum policy_list list;
        bool wanted;
    } lists[] = {
        {POLICY_CLIENT, c->smtpd_delay_reject},
        {POLICY_HELO, c->smtpd_delay_reject && s->helo.p != NULL},
        {POLICY_SENDER, c->smtpd_delay_reject && s->t.sender.p != NULL},
        {relay, true},
        {relay == POLICY_RELAY ? POLICY_RECIPIENT : POLICY_RELAY, true},
    };
    CLEANUP(asking_done) struct asking a;

    if (s->world->standalone || s->t.discarded || policy_takes_always(s->world->policy, recipient))
        return true;
    asking_begin(&a, s, recipient, where);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (lists[i].wanted && !ask(s, &a, lists[i].list, where, recipient))
            return false;
        if (s->t.discarded)
            return true;
        if (lists[i].list == POLICY_SENDER && lists[i].wanted && c->smtpd_reject_unlisted_sender &&
            !ask_listed(s, &a, where, recipient, policy_listed_sender))
            return false;
    }
    return settle(s, &a, where, recipient) &&
           (!c->smtpd_reject_unlisted_recipient || (s->world->overrides & OVERRIDE_UNKNOWN_RECIPIENTS) != 0 ||
            ask_listed(s, &a, where, recipient, policy_listed_recipient));
}

/* The lists of client and greeting wait for this command, too. */
bool check_etrn(struct session *s, slice site)
{
    const bool delayed = s->world->params->smtpd_delay_reject;
    CLEANUP(asking_done) struct asking a;

    if (s->world->standalone)
        return true;
    asking_begin(&a, s, (slice){0}, "ETRN");
    a.question.etrn_domain = site;
    return (!delayed || ask(s, &a, POLICY_CLIENT, "ETRN", (slice){0})) &&
           (!delayed || s->helo.p == NULL || ask(s, &a, POLICY_HELO, "ETRN", (slice){0})) &&
           ask(s, &a, POLICY_ETRN, "ETRN", (slice){0}) && settle(s, &a, "ETRN", (slice){0});
}
