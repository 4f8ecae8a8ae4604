/* One connection to anvil(8) for the whole process, since anvil forgets what came over one that ends.  A client never waits
 * for it in vain twice: without an answer it is left alone for a while.  Open connections are counted here too: that
 * count holds whatever becomes of anvil, and where anvil takes a connection of ours for one client (Postfix's does). */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/map.h"
#include "mail/events/events.h"
#include "mail/proto/anvil.h"
#include "mail/service/connect.h"
#include "mail/service/service.h"
#include "receive/smtpd/session.h"

#define ANSWER_US SECONDS(5)
#define OFF_US SECONDS(30)

static struct {
    struct link_pool *links;
    struct stream *stream; /* on loan from LINKS while connections are counted */
    unsigned counted;
    bool busy;
    struct waitq turn;
    deadline off_until;
} anvil = {.turn = WAITQ_INIT(anvil.turn)};

/* ---- connections to this process ---- */
static struct map open_by_address;

/* Returns how many there are of S's client, this one included. */
static unsigned count_open(const struct session *s)
{
    unsigned *count = map_get(&open_by_address, s->client_address);

    if (count == NULL) {
        count = xcalloc(1, sizeof *count);
        (void)map_set(&open_by_address, s->client_address, count);
    }
    return ++*count;
}

static void count_closed(const struct session *s)
{
    unsigned *count = map_get(&open_by_address, s->client_address);

    if (--*count == 0)
        free(map_take(&open_by_address, s->client_address));
}

/* ---- asking ---- */
static bool begin(deadline by, struct err *err)
{
    while (anvil.busy)
        if (!waitq_wait(&anvil.turn, by, err)) {
            if (!anvil.busy)
                waitq_wake_one(&anvil.turn); /* it may have been this task's */
            return false;
        }
    if (!deadline_passed(anvil.off_until))
        return err_set(err, ERR_NONE, "off");
    anvil.busy = true;
    if (anvil.links == NULL)
        anvil.links = link_pool_new_as(IPC_PLAIN, "private", ANVIL_SERVICE, ANVIL_PROTOCOL);
    return true;
}

static void end(void)
{
    anvil.busy = false;
    waitq_wake_one(&anvil.turn);
}

static void let_go(bool good)
{
    if (anvil.stream != NULL)
        link_return(anvil.links, anvil.stream, good);
    anvil.stream = NULL;
}

static bool exchange(const struct anvil_ask *ask, const struct ipc_shape *shape, void *answer, deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(4096);

    if (anvil.stream == NULL)
        anvil.stream = link_borrow(anvil.links, by, err);
    return anvil.stream != NULL && ipc_write_as(IPC_PLAIN, anvil.stream, &anvil_ask_shape, ask, by, err) &&
           stream_flush(anvil.stream, by, err) &&
           service_read_answer(IPC_PLAIN, anvil.stream, shape, &arena, by, answer, err);
}

/* False: nobody can tell, and it has been logged. */
static bool ask(const struct session *s, slice what, const struct ipc_shape *shape, void *answer)
{
    char ident[600];
    deadline by = deadline_sooner(deadline_in(ANSWER_US), deadline_in(s->world->params->ipc_timeout_us));
    struct anvil_ask question = {.request = what};
    struct err err;
    bool good;

    (void)snprintf(ident, sizeof ident, "%s:%.*s", service_run()->name, S_ARG(s->client_address));
    question.ident = slice_text(ident);
    if (!begin(by, &err))
        return false;
    good = exchange(&question, shape, answer, by, &err);
    if (!good && (err.kind == ERR_PEER || err.kind == ERR_SYS)) { /* it has been restarted */
        let_go(false);
        good = exchange(&question, shape, answer, by, &err);
    }
    if (!good && err.kind != ERR_CANCELLED) {
        event_warning("problem talking to service %s: %s", ANVIL_SERVICE, err.text);
        anvil.off_until = deadline_in(OFF_US);
    }
    if (!good || anvil.counted == 0)
        let_go(good);
    end();
    return good;
}

/* ---- limits ---- */
static bool is_limited(struct session *s)
{
    const struct params *c = s->world->params;
    struct policy_question q = {.client_name = s->client_name, .client_address = s->client_address, .by = session_by(s)};

    if (service_run()->standalone)
        return false;
    if (c->smtpd_client_connection_count_limit == 0 && c->smtpd_client_connection_rate_limit == 0 &&
        c->smtpd_client_message_rate_limit == 0 && c->smtpd_client_recipient_rate_limit == 0)
        return false;
    if (strcmp(c->smtpd_client_event_limit_exceptions, c->mynetworks) == 0)
        return !s->in_mynetworks;
    return !policy_client_in(s->world->policy, POLICY_NOT_LIMITED, &q);
}

static void warn(const struct session *s, const char *what, int64_t count)
{
    event_warning("%s limit exceeded: %lld from %.*s for service %s", what, (long long)count, S_ARG(s->client_label),
                  service_run()->name);
}

bool limits_connect(struct session *s)
{
    const struct params *c = s->world->params;
    const int most = c->smtpd_client_connection_count_limit, rate = c->smtpd_client_connection_rate_limit;
    struct anvil_connect now = {0};
    int64_t open;

    s->is_limited = is_limited(s);
    if (!s->is_limited || (most == 0 && rate == 0))
        return true;
    s->is_counted = true;
    open = count_open(s);
    anvil.counted++;
    if (!ask(s, S("connect"), &anvil_connect_shape, &now) || now.status != 0)
        now = (struct anvil_connect){0};
    if (now.count > open)
        open = now.count;
    if ((most == 0 || open <= most) && (rate == 0 || now.rate <= rate))
        return true;
    if (most > 0 && open > most)
        warn(s, "Connection concurrency", open);
    else
        warn(s, "Connection rate", now.rate);
    (void)session_say(s, "421 4.7.0 %s Error: too many connections from %.*s", c->myhostname, S_ARG(s->client_address));
    return false;
}

void limits_disconnect(struct session *s)
{
    struct anvil_disconnect gone;

    if (!s->is_counted)
        return;
    s->is_counted = false;
    count_closed(s);
    anvil.counted--;
    if (!ask(s, S("disconnect"), &anvil_disconnect_shape, &gone))
        return; /* which anvil sees by itself */
}

/* One event more of a kind that may come MOST times. */
static bool within(struct session *s, slice what, int most, const char *name, const char *reply)
{
    struct anvil_rate now;

    if (!s->is_limited || most == 0 || !ask(s, what, &anvil_rate_shape, &now) || now.status != 0 || now.rate <= most)
        return true;
    warn(s, name, now.rate);
    (void)session_say(s, "450 4.7.1 Error: too %s from %.*s", reply, S_ARG(s->client_address));
    return false;
}

bool limits_message(struct session *s)
{
    return within(s, S("message"), s->world->params->smtpd_client_message_rate_limit, "Message delivery request rate",
                  "much mail");
}

bool limits_recipient(struct session *s)
{
    return within(s, S("recipient"), s->world->params->smtpd_client_recipient_rate_limit, "Recipient address rate",
                  "many recipients");
}
