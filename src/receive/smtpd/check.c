/* Restriction lists at their moment: with smtpd_delay_reject, all up to the recipient's are asked at RCPT. */
#include "mail/events/events.h"
#include "receive/smtpd/session.h"

/* Where the answer's side effects go: log lines, hold, discard, filter ... */
static void take_notes(struct session *s, const char *where, const struct policy_note *note, slice recipient)
{
    for (; note != NULL; note = note->next) {
        session_log_action(s, note->verb, where, note->text, recipient);
        if (slice_eq(slice_text(note->verb), S("hold")))
            s->t.hold_or_discard |= 4;
        else if (slice_eq(slice_text(note->verb), S("discard")))
            s->t.hold_or_discard |= 8;
        else if (slice_eq(slice_text(note->verb), S("filter")))
            s->t.filter = arena_keep(&s->message_arena, note->argument, s->t.filter);
        else if (slice_eq(slice_text(note->verb), S("redirect")))
            s->t.redirect = arena_keep(&s->message_arena, note->argument, s->t.redirect);
        else if (slice_eq(slice_text(note->verb), S("prepend"))) {
            struct prepend *p = ARENA_NEW(&s->message_arena, struct prepend), **at = &s->t.prepends;

            if (p == NULL || !arena_copy(&s->message_arena, note->argument, &p->line))
                continue;
            while (*at != NULL)
                at = &(*at)->next;
            *at = p;
        }
    }
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

static void asking_begin(struct asking *a, struct session *s, slice recipient)
{
    *a = (struct asking){.arena = ARENA_INIT(1 << 20)};
    a->question = (struct policy_question){
        .resolver = s->world->resolver,
        .client_name = s->client_name,
        .client_address = s->client_address,
        .client = s->client,
        .helo = s->helo,
        .sender = s->t.sender,
        .recipient = recipient,
        .arena = &a->arena,
        .by = deadline_in(s->world->params->ipc_timeout_us),
    };
}

static bool conclude(struct session *s, const char *where, const struct policy_answer *a, slice recipient,
                     const struct buf *warning)
{
    if (warning->n > 0)
        event_warning("%s", buf_text(warning));
    take_notes(s, where, a->notes, recipient);
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

static bool ask_alone(struct session *s, enum policy_list list, const char *where)
{
    CLEANUP(asking_done) struct asking a;

    asking_begin(&a, s, (slice){0});
    return ask(s, &a, list, where, (slice){0});
}

bool check_client(struct session *s)
{
    return s->world->params->smtpd_delay_reject || ask_alone(s, POLICY_CLIENT, "CONNECT");
}

bool check_helo(struct session *s)
{
    return s->world->params->smtpd_delay_reject || ask_alone(s, POLICY_HELO, s->is_esmtp ? "EHLO" : "HELO");
}

bool check_sender(struct session *s)
{
    return s->world->params->smtpd_delay_reject || ask_alone(s, POLICY_SENDER, "MAIL");
}

bool check_data(struct session *s, enum policy_list list, const char *where)
{
    return ask_alone(s, list, where);
}

bool check_recipient(struct session *s, slice recipient, const char *where)
{
    static const enum policy_list delayed[] = {POLICY_CLIENT, POLICY_HELO, POLICY_SENDER};
    const enum policy_list relay_first[] = {POLICY_RELAY, POLICY_RECIPIENT}, relay_last[] = {POLICY_RECIPIENT, POLICY_RELAY};
    const struct params *c = s->world->params;
    const enum policy_list *both = c->smtpd_relay_before_recipient_restrictions ? relay_first : relay_last;
    CLEANUP(asking_done) struct asking a;

    asking_begin(&a, s, recipient);
    for (size_t i = 0; c->smtpd_delay_reject && i < COUNT_OF(delayed); i++)
        if (!ask(s, &a, delayed[i], where, recipient))
            return false;
    for (size_t i = 0; i < 2; i++)
        if (!ask(s, &a, both[i], where, recipient))
            return false;
    if (c->smtpd_reject_unlisted_recipient) {
        AUTO_BUF struct buf warning = BUF_INIT(2000);
        struct policy_answer answer = policy_listed_recipient(s->world->policy, &a.question, &warning);

        return conclude(s, where, &answer, recipient, &warning);
    }
    return true;
}
