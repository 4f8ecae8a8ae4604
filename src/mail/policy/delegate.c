#include "mail/policy/delegate.h"

#include <errno.h>
#include <netdb.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "mail/policy/access.h"
#include "mail/policy/policy_inner.h"
#include "mail/proto/policy.h"
#include "mail/service/connect.h"

enum { ANSWER_LINE_MOST = 4096, ANSWER_LINES_MOST = 100 };

struct policy_server {
    struct policy_server *next;
    const char *text;     /* as in the list */
    const char *endpoint; /* "127.0.0.1:2999", a path */
    bool is_local;
    slice host; /* empty: this one */
    uint16_t port;
    int64_t timeout_us, retry_delay_us, max_idle_us, max_ttl_us;
    int64_t try_limit, request_limit;
    slice default_action, context;
    struct link_pool *links;
};

/* ---- configuration ---- */
static struct policy_server *server_new(struct policy *p, slice text)
{
    const struct params *c = p->params;
    struct policy_server *s = ARENA_NEW(&p->arena, struct policy_server);

    if (s == NULL)
        return NULL;
    *s = (struct policy_server){
        .text = arena_text(&p->arena, text),
        .timeout_us = c->smtpd_policy_service_timeout_us,
        .retry_delay_us = c->smtpd_policy_service_retry_delay_us,
        .max_idle_us = c->smtpd_policy_service_max_idle_us,
        .max_ttl_us = c->smtpd_policy_service_max_ttl_us,
        .try_limit = c->smtpd_policy_service_try_limit,
        .request_limit = c->smtpd_policy_service_request_limit,
        .default_action = slice_text(c->smtpd_policy_service_default_action),
        .context = slice_text(c->smtpd_policy_service_policy_context),
    };
    return s->text != NULL ? s : NULL;
}

/* "host:port", "[address]:port", "port" */
static bool set_endpoint(struct policy_server *s, struct arena *arena, slice where, struct err *err)
{
    bool inet = cut_prefix(&where, S("inet:"));
    size_t colon = slice_find_last(where, ':');

    if (!inet && !cut_prefix(&where, S("unix:")))
        return err_set(err, ERR_CONFIG, "need service transport:endpoint instead of \"%.*s\"", S_ARG(where));
    s->is_local = !inet;
    s->endpoint = arena_text(arena, where);
    if (s->endpoint == NULL)
        return err_set(err, ERR_LIMIT, "no memory for policy server %s", s->text);
    if (!inet)
        return where.n > 0 || err_set(err, ERR_CONFIG, "need service transport:endpoint instead of \"%s\"", s->text);
    where = slice_text(s->endpoint);
    s->host = colon == SLICE_NONE ? S("") : slice_head(where, colon);
    if (s->host.n > 2 && s->host.p[0] == '[' && s->host.p[s->host.n - 1] == ']')
        s->host = slice_head(slice_skip(s->host, 1), s->host.n - 2);
    /* A port that nobody knows is said when it is needed. */
    (void)port_parse(colon == SLICE_NONE ? where : slice_skip(where, colon + 1), &s->port);
    return true;
}

static bool set_time(slice value, int64_t *to)
{
    return conf_parse_time(value, 's', to);
}

static bool set_count(slice value, int64_t *to)
{
    int64_t n;

    if (!slice_to_i64(value, &n) || n < 0 || n > INT32_MAX)
        return false;
    *to = n;
    return true;
}

static bool set_option(struct policy_server *s, slice option, struct err *err)
{
    const struct {
        slice name;
        bool (*set)(slice value, int64_t *to);
        int64_t *number;
        slice *text;
    } options[] = {
        {S("timeout"), set_time, &s->timeout_us, NULL},
        {S("retry_delay"), set_time, &s->retry_delay_us, NULL},
        {S("max_idle"), set_time, &s->max_idle_us, NULL},
        {S("max_ttl"), set_time, &s->max_ttl_us, NULL},
        {S("try_limit"), set_count, &s->try_limit, NULL},
        {S("request_limit"), set_count, &s->request_limit, NULL},
        {S("default_action"), NULL, NULL, &s->default_action},
        {S("policy_context"), NULL, NULL, &s->context},
    };
    slice value = option, name;

    if (!cut_until(&value, '=', &name))
        return err_set(err, ERR_CONFIG, "policy server %s: missing '=' after option name: \"%.*s\"", s->text, S_ARG(option));
    name = slice_trim(name);
    value = slice_trim(value);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (!slice_eq_case(name, options[i].name))
            continue;
        if (options[i].text != NULL)
            *options[i].text = value;
        else if (!options[i].set(value, options[i].number))
            return err_set(err, ERR_CONFIG, "policy server %s: bad value of option %.*s", s->text, S_ARG(name));
        return true;
    }
    return err_set(err, ERR_CONFIG, "policy server %s: unknown option: \"%.*s\"", s->text, S_ARG(name));
}

static bool configure(struct policy_server *s, struct arena *arena, struct err *err)
{
    slice rest = slice_text(s->text), item = rest, options = S("");
    bool braced;
    enum conf_got got;

    if (rest.n == 0)
        return err_set(err, ERR_CONFIG, "restriction check_policy_service must be followed by transport:server");
    if (rest.p[0] == '{') {
        if (conf_next_item(&rest, ", \t\r\n", &options, &braced, err) != CONF_ITEM ||
            conf_next_item(&options, ", \t\r\n", &item, &braced, err) != CONF_ITEM)
            return err_set(err, ERR_CONFIG, "need service transport:endpoint instead of \"%s\"", s->text);
    }
    if (!set_endpoint(s, arena, item, err))
        return false;
    while ((got = conf_next_item(&options, ", \t\r\n", &item, &braced, err)) == CONF_ITEM)
        if (!set_option(s, item, err))
            return false;
    return got == CONF_END;
}

/* ---- connecting ---- */
static struct stream *connect_inet(const struct policy_server *s, const struct endpoint *address, deadline by,
                                   struct err *err)
{
    struct endpoint to = *address;
    int fd;

    endpoint_set_port(&to, s->port);
    fd = inet_connect(&to, NULL, by, err);
    return fd < 0 ? NULL : stream_of_socket(fd);
}

static struct stream *connect_host(const struct policy_server *s, deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(64 * 1024);
    slice host = s->host.n > 0 ? s->host : S("localhost");
    struct dns_answer found = {0};
    struct stream *stream = NULL;
    struct endpoint literal;

    if (s->port == 0) {
        (void)err_set(err, ERR_CONFIG, "host or service %s not found: %s", s->endpoint, gai_strerror(EAI_SERVICE));
        return NULL;
    }
    if (endpoint_parse(host, &literal))
        return connect_inet(s, &literal, by, err);
    if (host_lookup(host, AF_UNSPEC, &arena, by, &found, err) != DNS_FOUND) {
        (void)err_set(err, ERR_CONFIG, "host or service %s not found: %.*s", s->endpoint, S_ARG(dns_why(&found)));
        return NULL;
    }
    for (const struct dns_record *r = found.records; r != NULL && stream == NULL; r = r->next)
        stream = connect_inet(s, &r->address, by, err);
    return stream;
}

static struct stream *connect_server(void *arg, deadline by, struct err *err)
{
    const struct policy_server *s = arg;
    struct stream *stream;

    if (s->is_local) {
        int fd = local_connect(s->endpoint, by, err);

        stream = fd < 0 ? NULL : stream_of_socket(fd);
    } else {
        stream = connect_host(s, by, err);
    }
    if (stream != NULL)
        stream_set_name(stream, s->endpoint);
    return stream;
}

struct policy_server *policy_server_open(struct policy *p, slice text, struct err *err)
{
    struct policy_server *s;
    struct link_kind kind;

    for (s = p->servers; s != NULL; s = s->next)
        if (slice_eq(slice_text(s->text), text))
            return s;
    s = server_new(p, text);
    if (s == NULL) {
        (void)err_set(err, ERR_LIMIT, "no memory for policy server %.*s", S_ARG(text));
        return NULL;
    }
    if (!configure(s, &p->arena, err))
        return NULL;
    kind = (struct link_kind){.connect = connect_server,
                              .arg = s,
                              .idle_us = s->max_idle_us,
                              .age_us = s->max_ttl_us,
                              .requests = (unsigned)s->request_limit};
    s->links = link_pool_of(&kind);
    s->next = p->servers;
    p->servers = s;
    return s;
}

void policy_servers_close(struct policy_server *first)
{
    for (; first != NULL; first = first->next)
        link_pool_free(first->links);
}

/* ---- asking ---- */
static slice given(slice value)
{
    return value.p != NULL ? value : S("");
}

static slice instance(const struct walk *w)
{
    const struct policy_session *s = &w->question->session;

    if (s->arrival_us == 0)
        return S("");
    return arena_format(w->question->arena, S(""), "%x.%llx.%llx.%x", (unsigned)getpid(),
                        (unsigned long long)s->arrival_us / 1000000, (unsigned long long)s->arrival_us % 1000000,
                        s->message);
}

static struct policy_ask request(const struct walk *w, const struct policy_server *server)
{
    const struct policy_question *q = w->question;
    const struct policy_session *s = &q->session;
    const slice none = S("");

    return (struct policy_ask){
        .request = S("smtpd_access_policy"),
        .protocol_state = s->protocol_state,
        .protocol_name = s->protocol_name,
        .client_address = q->client_address,
        .client_name = q->client_name,
        .client_port = s->client_port,
        .reverse_client_name = q->reverse_name,
        .server_address = s->server_address,
        .server_port = s->server_port,
        .helo_name = given(q->helo),
        .sender = given(q->sender),
        .recipient = given(q->recipient),
        .recipient_count = w->list == POLICY_DATA || w->list == POLICY_END_OF_DATA ? q->recipients : 0,
        .queue_id = s->queue_id,
        .instance = instance(w),
        .size = s->message_bytes,
        .etrn_domain = given(q->etrn_domain),
        .stress = s->stress,
        .sasl_method = none,
        .sasl_username = none,
        .sasl_sender = none,
        .ccert_subject = none,
        .ccert_issuer = none,
        .ccert_fingerprint = none,
        .ccert_pubkey_fingerprint = none,
        .encryption_protocol = none,
        .encryption_cipher = none,
        .policy_context = server->context,
    };
}

/* ERR_PEER without a text: the server has closed.  ERR_SYNTAX: what it said cannot be used. */
static bool read_answer(struct stream *s, struct arena *arena, deadline by, slice *action, struct err *err)
{
    bool found = false;
    slice line, name;

    for (int i = 0; i < ANSWER_LINES_MOST; i++) {
        switch (stream_read_line(s, ANSWER_LINE_MOST, by, &line, err)) {
        case STREAM_LINE:
        case STREAM_BARE_LF:
            break;
        case STREAM_TOO_LONG:
            return err_set(err, ERR_SYNTAX, "too long a line from %s", stream_name(s));
        case STREAM_EOF:
            return i == 0 ? err_set(err, ERR_PEER, "%s", "")
                          : err_set(err, ERR_SYNTAX, "premature end-of-input from %s", stream_name(s));
        default:
            if (err->kind == ERR_TIMEOUT && (i > 0 || stream_buffered(s) > 0))
                return err_set(err, ERR_TIMEOUT, "timeout on %s while reading input attribute %s", stream_name(s),
                               stream_buffered(s) > 0 ? "value" : "name");
            return err->kind == ERR_TIMEOUT ? err_set(err, ERR_TIMEOUT, "%s", "") : false;
        }
        if (line.n == 0)
            return found || err_set(err, ERR_SYNTAX, "missing attribute action in input from %s", stream_name(s));
        if (slice_eq(line, S("action")) && !found)
            return err_set(err, ERR_SYNTAX, "missing value for string attribute action from %s", stream_name(s));
        if (!found && cut_until(&line, '=', &name) && slice_eq(name, S("action")))
            found = arena_copy(arena, line, action);
    }
    return err_set(err, ERR_SYNTAX, "too many lines from %s", stream_name(s));
}

static bool exchange(const struct policy_server *server, struct stream *s, const struct policy_ask *ask,
                     struct arena *arena, slice *action, struct err *err)
{
    deadline by = deadline_in(server->timeout_us);

    return ipc_write_as(IPC_PLAIN, s, &policy_ask_shape, ask, by, err) && stream_flush(s, by, err) &&
           read_answer(s, arena, by, action, err);
}

static const char *problem(const struct err *err)
{
    return err->kind == ERR_SYS       ? strerror(err->sys)
           : err->kind == ERR_TIMEOUT ? strerror(ETIMEDOUT)
           : err->kind == ERR_CONFIG  ? strerror(EADDRNOTAVAIL)
                                      : "Application error";
}

/* The server may just have restarted: not worth a word the first time. */
static bool is_common(const struct err *err)
{
    return err->kind == ERR_PEER || err->kind == ERR_SYNTAX ||
           (err->kind == ERR_SYS && (err->sys == EPIPE || err->sys == ENOENT || err->sys == ECONNRESET));
}

/* One attempt; on failure its details are among the warnings. */
static bool try_once(struct walk *w, const struct policy_server *server, const struct policy_ask *ask, slice *action,
                     struct err *err)
{
    struct stream *s = link_borrow(server->links, deadline_in(server->timeout_us), err);
    bool good;

    if (s == NULL) {
        if (err->kind == ERR_CONFIG)
            walk_warn(w, "%s", err->text);
        walk_warn(w, "connect to %s: %s", server->endpoint, problem(err));
        return false;
    }
    good = exchange(server, s, ask, w->question->arena, action, err);
    link_return(server->links, s, good);
    if (!good && (err->kind == ERR_SYNTAX || err->kind == ERR_TIMEOUT) && err->text[0] != '\0')
        walk_warn(w, "%s", err->text);
    return good;
}

static bool ask_server(struct walk *w, const struct policy_server *server, slice *action)
{
    const struct policy_ask ask = request(w, server);
    struct err err;

    for (int64_t tried = 1;; tried++) {
        bool last = tried >= server->try_limit;

        if (try_once(w, server, &ask, action, &err))
            return true;
        if (err.kind == ERR_CANCELLED)
            return false;
        if (last || tried > 1 || !is_common(&err))
            walk_warn(w, "problem talking to server %s: %s", server->endpoint, problem(&err));
        if (last)
            return false;
        if ((tried > 1 || !is_common(&err)) && !task_sleep(deadline_in(server->retry_delay_us), &err))
            return false;
    }
}

enum walk_result check_policy_service(struct walk *w, const struct restriction_use *use)
{
    const struct policy_server *server = use->server;
    slice action;

    if (!ask_server(w, server, &action))
        action = server->default_action;
    if (action.n == 0) {
        walk_warn(w, "access table %s entry  has empty value", server->text);
        return WALK_ON;
    }
    return access_act(w, action, server->text, S("policy query"), w->subject);
}
