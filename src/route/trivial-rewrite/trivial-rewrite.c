/* trivial-rewrite(8): rewrites addresses to standard form and resolves where their mail goes. */
#include "core/base/cut.h"
#include "mail/address/resolve.h"
#include "mail/address/rewrite.h"
#include "mail/events/events.h"
#include "mail/proto/rewrite.h"
#include "mail/service/service.h"

enum { MEMORY = 1 << 20, WARNINGS_MOST = 64 * 1024 };
#define REST_US SECONDS(100)

static struct params *params;
static struct resolver *resolver, *verifier;

struct talk {
    struct stream *s;
    struct arena arena;
    struct err err;
};

/* Not 0 asks the client to connect again: this process is about to go. */
static int64_t server_flags(void)
{
    return service_is_draining() ? 1 : 0;
}

static bool answer(struct talk *t, const struct ipc_shape *shape, const void *message)
{
    bool ok = ipc_write(t->s, shape, message, deadline_in(params->ipc_timeout_us), &t->err);

    service_answered();
    return ok;
}

static bool serve_rewrite(struct talk *t)
{
    AUTO_BUF struct buf out = BUF_INIT(MEMORY);
    struct rewrite_answer a = {.flags = server_flags()};
    struct rewrite_rules rules;
    struct rewrite_rest ask;

    if (!ipc_read_rest(t->s, &rewrite_rest_shape, &t->arena, deadline_in(REST_US), &ask, &t->err))
        return false;
    if (!slice_eq(ask.rule, S("local")) && !slice_eq(ask.rule, S("remote")))
        event_warning("unknown context: \"%.*s\"", S_ARG(ask.rule));
    rules = resolver_rewrite_rules(params, slice_eq(ask.rule, S("local")));
    a.address = rewrite_external(&rules, ask.address, &out) ? buf_slice(&out) : ask.address;
    return answer(t, &rewrite_answer_shape, &a);
}

static bool serve_resolve(struct talk *t, struct resolver *r)
{
    struct resolve_answer a = {.server_flags = server_flags()};
    struct resolve_rest ask;
    struct resolved to;
    const char *where = "";
    struct err err;

    if (!ipc_read_rest(t->s, &resolve_rest_shape, &t->arena, deadline_in(REST_US), &ask, &t->err))
        return false;
    if (!resolver_resolve(r, ask.sender, ask.address, &t->arena, deadline_in(params->ipc_timeout_us), &to, &where,
                          &err))
        event_warning("%s: %s", where, err.text);
    a.transport = to.transport;
    a.nexthop = to.nexthop;
    a.recipient = to.recipient;
    a.flags = to.flags;
    return answer(t, &resolve_answer_shape, &a);
}

static bool serve(struct talk *t, slice request)
{
    if (slice_eq(request, S("rewrite")))
        return serve_rewrite(t);
    if (slice_eq(request, S("resolve")))
        return serve_resolve(t, resolver);
    if (slice_eq(request, S("verify")))
        return serve_resolve(t, verifier);
    event_warning("bad command %.*s", S_ARG(slice_head(request, 30)));
    return false;
}

static void client(struct stream *s)
{
    struct talk t = {.s = s, .arena = ARENA_INIT(MEMORY)};
    slice request;

    if (ipc_hello(s, REWRITE_PROTOCOL, deadline_in(REST_US), &t.err))
        while (ipc_read_first(s, "request", &t.arena, NEVER, &request, &t.err) == IPC_MESSAGE_READ &&
               serve(&t, request))
            arena_reset(&t.arena);
    arena_done(&t.arena);
}

static bool open_all(struct service_run *run, struct err *err)
{
    AUTO_BUF struct buf warnings = BUF_INIT(WARNINGS_MOST), ignored = BUF_INIT(WARNINGS_MOST);

    params = run->params;
    resolver = resolver_new(params, false, &warnings, err);
    verifier = resolver == NULL ? NULL : resolver_new(params, true, &ignored, err);
    event_warning_lines(buf_slice(&warnings));
    return verifier != NULL;
}

static bool changed(void *arg, struct buf *name)
{
    (void)arg;
    return resolver_changed(resolver, name) || resolver_changed(verifier, name);
}

static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    (void)err;
    service_watch(changed, NULL);
    return true;
}

int main(int argc, char **argv)
{
    static const struct service trivial_rewrite = {
        .name = "trivial-rewrite",
        .instances = SERVICE_ANY,
        .flags = SERVICE_MULTI,
        .needs = {.may = SANDBOX_NAMES | SANDBOX_SERVICES},
        .pre_start = open_all,
        .start = start,
        .client = client,
    };

    return service_main(&trivial_rewrite, argc, argv);
}
