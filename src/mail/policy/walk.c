#include "mail/policy/walk.h"

#include <stdarg.h>
#include <stdio.h>

#include "mail/policy/policy_inner.h"

enum { TEXT_MOST = 600 };

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

static struct walk_subject list_subject(const struct walk *w)
{
    switch (w->list) {
    case POLICY_CLIENT:
        return walk_client(w);
    case POLICY_HELO:
        return walk_helo(w);
    case POLICY_SENDER:
        return walk_sender(w);
    case POLICY_DATA:
        return (struct walk_subject){S("DATA"), "Data command"};
    case POLICY_END_OF_DATA:
        return (struct walk_subject){S("END-OF-MESSAGE"), "End-of-data"};
    case POLICY_ETRN:
        return (struct walk_subject){w->question->etrn_domain, "Etrn command"};
    default:
        return walk_recipient(w);
    }
}

struct walk walk_begin(struct policy *p, const struct params *params, struct policy_question *q, struct buf *warning)
{
    return (struct walk){.policy = p, .params = params, .question = q, .warning = warning, .list = POLICY_RECIPIENT};
}

struct policy_answer walk_end(struct walk *w, enum walk_result r)
{
    static const enum policy_verdict verdicts[] = {[WALK_ON] = POLICY_DUNNO,
                                                   [WALK_PERMIT] = POLICY_PERMIT,
                                                   [WALK_DISCARD] = POLICY_DISCARD,
                                                   [WALK_REFUSE] = POLICY_REFUSE};

    w->answer.verdict = verdicts[r];
    return w->answer;
}

/* ---- notes and warnings ---- */
static void add_note(struct walk *w, const char *verb, slice argument, slice text)
{
    struct policy_note *note = ARENA_NEW(w->question->arena, struct policy_note);

    if (note == NULL)
        return;
    note->verb = verb;
    note->warned = w->warning->n;
    note->text = text;
    if (!arena_copy(w->question->arena, argument, &note->argument))
        note->argument = S("");
    if (w->tail == NULL)
        w->tail = &w->answer.notes;
    *w->tail = note;
    w->tail = &note->next;
}

void walk_note(struct walk *w, const char *verb, slice argument, const char *format, ...)
{
    va_list args;
    slice text;

    va_start(args, format);
    text = formatted(w->question->arena, format, args);
    va_end(args);
    add_note(w, verb, argument, text);
}

static void add_warning(struct walk *w, slice text)
{
    if (!buf_add(w->warning, text) || !buf_add(w->warning, S("\n")))
        return; /* what fits is logged */
}

void walk_warn(struct walk *w, const char *format, ...)
{
    va_list args;
    slice text;

    va_start(args, format);
    text = formatted(w->question->arena, format, args);
    va_end(args);
    add_warning(w, text);
}

/* ---- refusals ---- */
static enum walk_result refuse(struct walk *w, int code, struct dsn_code dsn, slice text)
{
    dsn.class = code / 100;
    if (w->warn_if_reject) {
        char status[DSN_CODE_TEXT];

        dsn_code_print(dsn, status);
        walk_note(w, "reject_warning", S(""), "%d %s %.*s", code, status, S_ARG(text));
        return WALK_ON;
    }
    if (w->if_reject.active && code >= 500) {
        code = w->if_reject.code;
        dsn = w->if_reject.dsn;
        text = w->if_reject.text;
    }
    w->answer.code = code;
    w->answer.text = text;
    w->answer.disconnect = code == 421 || code == 521;
    w->answer.dsn = dsn;
    return WALK_REFUSE;
}

enum walk_result walk_refuse(struct walk *w, int code, struct dsn_code dsn, const char *format, ...)
{
    va_list args;
    slice text;

    va_start(args, format);
    text = formatted(w->question->arena, format, args);
    va_end(args);
    return refuse(w, code, dsn, text);
}

/* RFC 3463: x.1.1 to x.1.3 speak of the destination, x.1.7 and x.1.8 of the sender. */
static struct dsn_code fitting(struct dsn_code dsn, const char *what)
{
    bool sender = slice_eq(slice_text(what), S("Sender address"));

    if (dsn.subject != 1 || dsn.detail == 0)
        return dsn;
    if (!sender && !slice_eq(slice_text(what), S("Recipient address")))
        return (struct dsn_code){dsn.class, 0, 0};
    if (sender && (dsn.detail == 1 || dsn.detail == 3))
        dsn.detail = 7;
    else if (sender && dsn.detail == 2)
        dsn.detail = 8;
    else if (!sender && dsn.detail == 7)
        dsn.detail = 3;
    else if (!sender && dsn.detail == 8)
        dsn.detail = 2;
    return dsn;
}

static struct dsn_code fit(struct walk *w, int code, struct dsn_code dsn, const char *what)
{
    struct dsn_code fits;
    char from[DSN_CODE_TEXT], to[DSN_CODE_TEXT];

    dsn.class = code / 100;
    fits = fitting(dsn, what);
    if (fits.subject == dsn.subject && fits.detail == dsn.detail)
        return dsn;
    dsn_code_print(dsn, from);
    dsn_code_print(fits, to);
    walk_note(w, "", S(""), "mapping DSN status %s into %s status %s", from, what, to);
    return fits;
}

enum walk_result walk_reject(struct walk *w, int code, struct dsn_code dsn, struct walk_subject subject, slice text)
{
    dsn = fit(w, code, dsn, subject.what);
    return walk_refuse(w, code, dsn, "<%.*s>: %s rejected: %.*s", S_ARG(subject.about), subject.what, S_ARG(text));
}

static void defer_if(struct policy_deferral *which, int code, struct dsn_code dsn, slice text)
{
    dsn.class = code / 100;
    if (!which->active)
        *which = (struct policy_deferral){.active = true, .code = code, .dsn = dsn, .text = text};
}

void walk_defer_if(struct walk *w, struct policy_deferral *which, int code, struct dsn_code dsn,
                   struct walk_subject subject, slice text)
{
    text = arena_format(w->question->arena, S("Service unavailable"), "<%.*s>: %s rejected: %.*s",
                        S_ARG(subject.about), subject.what, S_ARG(text));
    if (w->warn_if_reject && which == &w->question->if_permit)
        (void)refuse(w, code, dsn, text);
    else
        defer_if(which, code, dsn, text);
}

enum walk_result walk_permit(struct walk *w, slice action, struct walk_subject subject, const char *table)
{
    struct match_list *logged = w->policy->logged_permits;
    struct err err;

    if (w->params->smtpd_log_access_permit_actions[0] != '\0' &&
        match_list_has(logged, action, S(""), w->question->by, &err) == TABLE_FOUND)
        walk_note(w, "permit", S(""), "action=%.*s for %s=%.*s %s%s", S_ARG(action), subject.what, S_ARG(subject.about),
                  table != NULL ? "from " : "", table != NULL ? table : "");
    return WALK_PERMIT;
}

bool walk_is_decided(struct walk *w, enum walk_result *result)
{
    const struct policy_deferral *d = &w->question->if_permit;

    if (!d->active || !w->if_reject.active)
        return false;
    *result = refuse(w, d->code, d->dsn, d->text);
    return *result == WALK_REFUSE;
}

enum walk_result walk_uncertain(struct walk *w, const char *action, int code, struct dsn_code dsn, const char *format, ...)
{
    va_list args;
    slice text;

    va_start(args, format);
    text = formatted(w->question->arena, format, args);
    va_end(args);
    if (w->warn_if_reject || slice_eq_case(slice_text(action), S("defer")))
        return refuse(w, code, dsn, text);
    defer_if(&w->question->if_permit, code, dsn, text);
    return WALK_ON;
}

/* Never a mere warning: nobody knows what the list is meant to say. */
enum walk_result walk_misconfigured(struct walk *w, const char *format, ...)
{
    va_list args;
    slice text;

    va_start(args, format);
    text = formatted(w->question->arena, format, args);
    va_end(args);
    add_warning(w, text);
    w->warn_if_reject = false;
    return refuse(w, 451, (struct dsn_code){4, 3, 5}, S("Server configuration error"));
}

enum walk_result walk_table_trouble(struct walk *w, const char *table, slice key, struct walk_subject subject,
                                    const struct err *err)
{
    add_warning(w, slice_text(err->text));
    walk_warn(w, "%s lookup error for \"%.*s\"", table, S_ARG(key));
    return walk_reject(w, 451, (struct dsn_code){4, 3, 5}, subject, S("Server configuration error"));
}

enum walk_result walk_temporary(struct walk *w, slice about)
{
    return walk_refuse(w, 451, (struct dsn_code){4, 3, 0}, "<%.*s>: Temporary lookup failure", S_ARG(about));
}

/* ---- subjects ---- */
struct walk_subject walk_client(const struct walk *w)
{
    const struct policy_question *q = w->question;

    return (struct walk_subject){
        arena_format(q->arena, q->client_address, "%.*s[%.*s]", S_ARG(q->client_name), S_ARG(q->client_address)),
        "Client host"};
}

struct walk_subject walk_helo(const struct walk *w)
{
    return (struct walk_subject){w->question->helo, "Helo command"};
}

struct walk_subject walk_sender(const struct walk *w)
{
    return (struct walk_subject){w->question->sender, "Sender address"};
}

struct walk_subject walk_recipient(const struct walk *w)
{
    return (struct walk_subject){w->question->recipient, "Recipient address"};
}

struct walk_subject walk_whatever(const struct walk *w)
{
    return w->subject;
}

void walk_set_list(struct walk *w, enum policy_list list)
{
    w->list = list;
    w->subject = list_subject(w);
}

static bool resolve(struct walk *w, slice sender, slice address, struct policy_resolved *to, enum walk_result *result)
{
    struct policy_question *q = w->question;
    struct err err;

    if (to->done)
        return true;
    if (!address_resolve(q->resolver, sender, address, q->arena, q->by, &to->found, &err)) {
        add_warning(w, slice_text(err.text));
        *result = walk_temporary(w, address);
        return false;
    }
    if (to->found.flags & RESOLVE_FAIL) {
        *result = walk_temporary(w, address);
        return false;
    }
    to->done = true;
    return true;
}

bool walk_resolve_recipient(struct walk *w, const struct resolved **to, enum walk_result *result)
{
    struct policy_question *q = w->question;

    *to = &q->resolved_recipient.found;
    return resolve(w, q->sender.p == NULL ? S("") : q->sender, q->recipient, &q->resolved_recipient, result);
}

bool walk_resolve_sender(struct walk *w, const struct resolved **to, enum walk_result *result)
{
    struct policy_question *q = w->question;

    *to = &q->resolved_sender.found;
    return resolve(w, S(""), q->sender, &q->resolved_sender, result);
}
