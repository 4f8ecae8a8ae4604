#include "deliver/smtp/verdict.h"

/* The lines of a reply in one. */
static slice spaced(slice text, struct arena *arena)
{
    slice out = S("");

    if (!arena_copy(arena, text, &out))
        return text;
    for (size_t i = 0; i < out.n; i++)
        if (out.p[i] == '\n')
            ((char *)out.p)[i] = ' '; /* our own copy */
    return out;
}

static slice relay_of(const struct connection *c, struct arena *arena)
{
    return arena_keep(arena, slice_text(c->relay), S("none"));
}

static const char *doing(const struct connection *c, enum phase phase)
{
    static const char *const words[] = {
        [PHASE_GREETING] = "receiving the initial server greeting",
        [PHASE_EHLO] = "performing the EHLO handshake",
        [PHASE_HELO] = "performing the HELO handshake",
        [PHASE_XFORWARD_NAME] = "sending XFORWARD name/address",
        [PHASE_XFORWARD_HELO] = "sending XFORWARD protocol/helo_name",
        [PHASE_MAIL] = "sending MAIL FROM",
        [PHASE_RCPT] = "sending RCPT TO",
        [PHASE_DATA] = "sending DATA command",
        [PHASE_BODY] = "sending message body",
        [PHASE_DONE] = "sending end of data -- message may be sent more than once",
    };

    return phase == PHASE_EHLO && c->settings->lmtp ? "performing the LHLO handshake" : words[phase];
}

struct outcome verdict_lost(const struct connection *c, enum phase phase, const struct err *err, struct arena *arena)
{
    slice reason;

    if (err->kind == ERR_TEMPORARY) {
        reason = arena_format(arena, S("local data error"), "local data error while talking to %s", c->label);
        return (struct outcome){
            .kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}, .reason = reason, .relay = relay_of(c, arena)};
    }
    reason = arena_format(arena, S("lost connection"),
                          err->kind == ERR_TIMEOUT ? "conversation with %s timed out while %s"
                                                   : "lost connection with %s while %s",
                          c->label, doing(c, phase));

    return (struct outcome){.kind = OUTCOME_DEFERRED, .dsn = {4, 4, 2}, .reason = reason, .relay = relay_of(c, arena)};
}

struct outcome verdict_said(const struct connection *c, const struct reply *reply, const char *command,
                            struct arena *arena)
{
    int class = reply->code / 100;
    slice text = spaced(reply->text, arena);

    /* A reply that is neither yes nor no where only these make sense will not get better: a protocol error. */
    return (struct outcome){
        .kind = class == 4 ? OUTCOME_DEFERRED : OUTCOME_BOUNCED,
        .dsn = class == 4 || class == 5 ? reply->dsn : (struct dsn_code){5, 5, 0},
        .reason =
            arena_format(arena, text, "host %s said: %.*s (in reply to %s command)", c->label, S_ARG(text), command),
        .diag_type = S("smtp"),
        .diag_text = text,
        .mta_type = S("dns"),
        .mta_name = arena_keep(arena, slice_text(c->host), S("")),
        .relay = relay_of(c, arena),
    };
}

struct outcome verdict_refused(const struct connection *c, const struct reply *reply, bool try_later,
                               struct arena *arena)
{
    struct outcome o = verdict_said(c, reply, "", arena);

    o.reason = arena_format(arena, o.reason, "host %s refused to talk to me: %.*s", c->label, S_ARG(o.diag_text));
    if (reply->code / 100 == 5 && try_later) {
        o.kind = OUTCOME_DEFERRED;
        o.dsn.class = 4;
    }
    return o;
}

struct outcome verdict_unfit(const struct connection *c, struct dsn_code dsn, slice reason, struct arena *arena)
{
    return (struct outcome){.kind = OUTCOME_BOUNCED, .dsn = dsn, .reason = reason, .relay = relay_of(c, arena)};
}
