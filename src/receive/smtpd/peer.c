#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/map.h"
#include "core/dns/dns.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"
#include "receive/smtpd/session.h"

static slice kept(struct session *s, slice text)
{
    slice out = S("unknown");

    return arena_copy(&s->identity_arena, text, &out) ? out : S("unknown");
}

static slice address_text(struct session *s, const struct endpoint *e)
{
    char text[ENDPOINT_TEXT];

    endpoint_print(e, text);
    return kept(s, slice_text(text));
}

static slice port_text(struct session *s, const struct endpoint *e)
{
    char text[8];

    (void)snprintf(text, sizeof text, "%u", endpoint_port(e));
    return kept(s, slice_text(text));
}

/* Clients come back, and each look-up is a blocking call on a helper thread: names are good for some seconds. */
enum { NAMES_MOST = 1000 };
#define NAMES_US SECONDS(30)

struct peer_name {
    deadline good_until;
    char *client, *reverse;
    bool client_uncertain, reverse_uncertain;
    char *warning; /* or NULL */
};
static struct map names;

static void name_free(void *p)
{
    struct peer_name *n = p;

    free(n->client);
    free(n->reverse);
    free(n->warning);
    free(n);
}

static bool recall(struct session *s)
{
    struct peer_name *n = map_get(&names, s->client_address);

    if (n == NULL)
        return false;
    if (deadline_passed(n->good_until)) {
        name_free(map_take(&names, s->client_address));
        return false;
    }
    s->client_name = kept(s, slice_text(n->client));
    s->reverse_name = kept(s, slice_text(n->reverse));
    s->client_name_uncertain = n->client_uncertain;
    s->reverse_name_uncertain = n->reverse_uncertain;
    if (n->warning != NULL)
        event_warning("%s", n->warning);
    return true;
}

static void remember(const struct session *s, const struct buf *warning)
{
    struct peer_name *n = xcalloc(1, sizeof *n);
    void *old;

    if (names.count >= NAMES_MOST)
        map_done(&names, name_free);
    n->good_until = deadline_in(NAMES_US);
    n->client = xstrndup(s->client_name.p, s->client_name.n);
    n->reverse = xstrndup(s->reverse_name.p, s->reverse_name.n);
    n->client_uncertain = s->client_name_uncertain;
    n->reverse_uncertain = s->reverse_name_uncertain;
    n->warning = warning->n > 0 ? xstrndup(warning->p, warning->n) : NULL;
    old = map_set(&names, s->client_address, n);
    if (old != NULL)
        name_free(old); /* another session of this client was faster */
}

/* The name that the address has by DNS: a host name, nothing else. */
static bool look_up_reverse(struct session *s, deadline by, struct buf *warning)
{
    struct dns_answer found;
    struct err err;
    enum dns_got got = host_lookup_name(&s->client, &s->arena, by, &found, &err);
    slice name = got == DNS_FOUND && found.records != NULL ? found.records->text : S("");

    s->client_name_uncertain = s->reverse_name_uncertain = got == DNS_TRY_AGAIN || got == DNS_FAILED;
    if (endpoint_parse(name, &(struct endpoint){0}))
        (void)buf_addf(warning, "numeric hostname: %.*s", S_ARG(name));
    if (!hostname_valid(name))
        return false;
    s->reverse_name = name;
    return true;
}

/* A name counts only when it leads back to the address. */
static void look_up_names(struct session *s, struct buf *warning)
{
    deadline by = deadline_in(SECONDS(30));
    struct dns_answer addresses = {0};
    enum dns_got got;
    struct err err;

    if (!look_up_reverse(s, by, warning))
        return;
    got = host_lookup(s->reverse_name, s->client.u.any.sa_family, &s->arena, by, &addresses, &err);
    for (const struct dns_record *r = got == DNS_FOUND ? addresses.records : NULL; r != NULL; r = r->next)
        if (endpoint_same_host(&r->address, &s->client)) {
            s->client_name = s->reverse_name;
            return;
        }
    s->client_name_uncertain = got == DNS_TRY_AGAIN || got == DNS_FAILED;
    (void)buf_addf(warning, "hostname %.*s does not resolve to address %.*s", S_ARG(s->reverse_name),
                   S_ARG(s->client_address));
    if (got != DNS_FOUND)
        (void)buf_addf(warning, ": %.*s", S_ARG(dns_why(&addresses)));
}

static void find_names(struct session *s)
{
    AUTO_BUF struct buf warning = BUF_INIT(1000);

    s->client_name = s->reverse_name = S("unknown");
    if (!s->world->params->smtpd_peername_lookup || recall(s))
        return;
    look_up_names(s, &warning);
    if (warning.n > 0)
        event_warning("%s", buf_text(&warning));
    remember(s, &warning);
}

static struct policy_question question(struct session *s)
{
    return (struct policy_question){
        .client_name = s->client_name,
        .client_address = s->client_address,
        .client = s->client,
        .client_is_own_address = s->is_own_address,
        .arena = &s->arena,
        .by = deadline_in(SECONDS(30)),
    };
}

void peer_describe(struct session *s)
{
    bool with_port = s->world->params->smtpd_client_port_logging;
    struct policy_question q;
    struct endpoint told;

    s->client_label = arena_format(&s->identity_arena, S("unknown[unknown]"), "%.*s[%.*s]%s%.*s", S_ARG(s->client_name),
                                   S_ARG(s->client_address), with_port ? ":" : "", S_ARG(with_port ? s->client_port : S("")));
    if (endpoint_parse(s->client_address, &told))
        s->client = told;
    s->is_own_address = endpoint_same_host(&s->client, &s->server);
    q = question(s);
    s->in_mynetworks = s->world->standalone || policy_client_in(s->world->policy, POLICY_MYNETWORKS, &q);
}

/* What follows from who connected, whoever he says he is afterwards. */
static void judge(struct session *s)
{
    AUTO_BUF struct buf warning = BUF_INIT(2000); /* mynetworks says the same again at RCPT */
    struct policy_question q = question(s);

    s->local_context = policy_ask(s->world->policy, POLICY_REWRITE_HEADERS, &q, &warning).verdict == POLICY_PERMIT;
    s->bare_newline_ok = policy_client_in(s->world->policy, POLICY_BARE_NEWLINE_OK, &q);
    s->came_as_xforward = session_in_hosts(s, s->world->xforward_hosts);
}

void peer_identify(struct session *s)
{
    if (service_endpoints(s->stream, &s->client, &s->server)) {
        s->client_address = address_text(s, &s->client);
        s->client_port = port_text(s, &s->client);
        s->server_address = address_text(s, &s->server);
        s->server_port = port_text(s, &s->server);
        find_names(s);
    } else { /* on stdin and stdout */
        s->client_name = s->reverse_name = S("localhost");
        s->client_address = s->server_address = S("127.0.0.1");
        s->client_port = s->server_port = S("0");
        (void)endpoint_parse(s->client_address, &s->client);
        s->server = s->client;
    }
    peer_describe(s);
    if (!s->world->standalone)
        judge(s);
}
