/* ETRN: RFC 1985. */
#include "core/base/cut.h"
#include "core/ipc/attr.h"
#include "core/net/endpoint.h"
#include "mail/events/events.h"
#include "mail/proto/flush.h"
#include "mail/service/connect.h"
#include "mail/syntax/address.h"
#include "receive/smtpd/session.h"

#define ANSWER_US SECONDS(30)

/* FLUSH_FAIL: nobody answers, or not as he should. */
static int64_t ask_flush(struct session *s, slice site)
{
    const struct flush_site ask = {.request = S("send_site"), .site = site};
    deadline by = deadline_in(ANSWER_US);
    AUTO_ARENA struct arena arena = ARENA_INIT(4096);
    struct flush_answer answer;
    struct err err;
    AUTO_STREAM struct stream *flush = NULL;

    if (s->world->standalone) { /* an ordinary user cannot reach it */
        event_warning("do not use ETRN in \"sendmail -bs\" mode");
        return FLUSH_FAIL;
    }
    flush = service_connect("public", FLUSH_SERVICE, FLUSH_PROTOCOL, by, &err);
    if (flush != NULL && ipc_write(flush, &flush_site_shape, &ask, by, &err) && stream_flush(flush, by, &err) &&
        service_read_answer(IPC_ATTR0, flush, &flush_answer_shape, &arena, by, &answer, &err))
        return answer.status;
    event_warning("%s", err.text);
    return FLUSH_FAIL;
}

static bool is_site(slice site)
{
    struct endpoint literal;

    return domain_is_literal(site) ? endpoint_parse(site, &literal) : hostname_valid(site);
}

bool command_etrn(struct session *s, slice arguments)
{
    slice site = S(""), more;

    s->junk++;
    if (s->world->params->smtpd_helo_required && s->helo.p == NULL)
        return session_say(s, "503 Error: send HELO/EHLO first");
    if (s->t.open)
        return session_say(s, "503 Error: MAIL transaction in progress");
    if (!cut_word(&arguments, " \t", &site) || cut_word(&arguments, " \t", &more))
        return session_say(s, "500 Syntax: ETRN domain");
    if (site.p[0] == '@' || site.p[0] == '#')
        site = slice_skip(site, 1);
    if (!is_site(site))
        return session_say(s, "501 Error: invalid parameter syntax");
    if (!check_etrn(s, site))
        return !s->ended;
    switch (ask_flush(s, site)) {
    case FLUSH_OK:
        s->ok[COMMAND_ETRN]++;
        return session_say(s, "250 Queuing started");
    case FLUSH_DENIED:
        event_warning("reject: ETRN %.*s... from %.*s", S_ARG(slice_head(site, 100)), S_ARG(s->client_label));
        return session_say(s, "459 <%.*s>: service unavailable", S_ARG(site));
    default:
        return session_say(s, "458 Unable to queue messages");
    }
}
