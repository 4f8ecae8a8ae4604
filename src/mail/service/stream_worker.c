#include <errno.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"

enum { BURST = 32 };
/* How long another process may take to pass a connection that it has announced. */
#define PASS_US SECONDS(10)

/* ---- connections passed by another process ---- */

static bool set_port(struct endpoint *e, slice text)
{
    unsigned port;

    if (!cut_uint(&text, 1, 5, &port) || text.n > 0 || port > UINT16_MAX)
        return false;
    endpoint_set_port(e, (uint16_t)port);
    return true;
}

struct passed_names {
    struct buf client_address, client_port, server_address, server_port;
};

static void names_done(struct passed_names *n)
{
    buf_done(&n->client_address);
    buf_done(&n->client_port);
    buf_done(&n->server_address);
    buf_done(&n->server_port);
}

static struct buf *value_for(struct passed_names *n, slice name, struct buf *otherwise)
{
    struct buf *to = slice_eq(name, S("client_address"))   ? &n->client_address
                     : slice_eq(name, S("client_port"))    ? &n->client_port
                     : slice_eq(name, S("server_address")) ? &n->server_address
                     : slice_eq(name, S("server_port"))    ? &n->server_port
                                                           : otherwise;

    buf_clear(to);
    return to;
}

/* The list may have other names too. */
static bool read_names(struct stream *s, deadline by, struct passed_names *n, struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT(100), other = BUF_INIT(1000);

    for (int count = 0; count < 100; count++) {
        buf_clear(&name);
        if (!stream_read_until_nul(s, &name, by, err))
            return false;
        if (name.n == 0)
            return true;
        if (!stream_read_until_nul(s, value_for(n, buf_slice(&name), &other), by, err))
            return false;
    }
    return err_set(err, ERR_PEER, "too many attributes");
}

/* A bare address with a zone or the like cannot be shown; the socket itself knows better. */
static void take_names(struct session *x, const struct passed_names *n)
{
    x->passed = endpoint_parse(buf_slice(&n->client_address), &x->client) &&
                set_port(&x->client, buf_slice(&n->client_port)) &&
                endpoint_parse(buf_slice(&n->server_address), &x->server) &&
                set_port(&x->server, buf_slice(&n->server_port));
}

/* Replaces the session's connection by the one that comes over it. */
static bool receive_connection(struct session *x, struct err *err)
{
    struct passed_names names = {BUF_INIT(100), BUF_INIT(100), BUF_INIT(100), BUF_INIT(100)};
    deadline by = deadline_in(PASS_US);
    int fd = -1;
    bool ok;

    if (!fd_receive(x->fd, &fd, by, err))
        return false;
    struct stream *from = stream_open(x->fd);
    x->fd = fd;
    ok = read_names(from, by, &names, err);
    if (ok)
        take_names(x, &names);
    stream_close(from); /* tells the other process that the connection is taken */
    names_done(&names);
    return ok;
}

/* ---- sessions ---- */

/* False: it could not be had, which has been said.  Not inlined: its room for an error is not to lie on the stack of each
 * session that waits. */
static NOINLINE bool take_passed(struct session *x)
{
    struct err err;

    if (receive_connection(x, &err))
        return true;
    if (err.kind != ERR_CANCELLED)
        event_warning("passed connection: %s", err.text);
    fd_close(x->fd);
    return false;
}

static void serve_session(struct worker *w, struct session *x)
{
    if (strcmp(w->run.type, "pass") == 0 && !take_passed(x))
        return;
    x->stream = stream_open(x->fd);
    list_push_front(&w->sessions, &x->node);
    w->service->client(x->stream);
    list_remove(&x->node);
    stream_close(x->stream);
}

static void session_task(void *arg)
{
    struct worker *w = the_worker();
    struct session *x = arg;

    serve_session(w, x);
    free(x);
    worker_end(w);
}

static void begin_session(struct worker *w, int fd)
{
    struct session *x = xcalloc(1, sizeof *x);
    struct err err;

    x->fd = fd;
    worker_begin(w);
    if (group_spawn(&w->clients, "session", session_task, x, &err))
        return;
    event_warning("no task for a connection: %s", err.text);
    free(x);
    (void)close(fd);
    worker_end(w);
}

/* False: nobody is waiting any more. */
static bool accept_one(struct listener *l)
{
    int fd = socket_accept(l->fd, NULL);

    if (fd >= 0) {
        begin_session(l->worker, fd);
        return true;
    }
    if (errno == EINTR || errno == ECONNABORTED)
        return true;
    listener_pause();
    return false;
}

void stream_listener(void *arg)
{
    struct listener *l = arg;
    struct err err;

    while (listener_wait(l)) {
        int burst = BURST;

        while (burst-- > 0 && !l->worker->draining && !worker_is_full(l->worker) && accept_one(l))
            ;
        if (burst < 0 && !task_yield(&err))
            break;
    }
    free(l);
}

void standalone_session(struct worker *w)
{
    struct session x = {.fd = -1, .stream = stream_pair(STDIN_FILENO, STDOUT_FILENO)};

    list_push_front(&w->sessions, &x.node);
    w->service->client(x.stream);
    list_remove(&x.node);
    stream_close(x.stream);
}

bool service_endpoints(struct stream *s, struct endpoint *client, struct endpoint *server)
{
    LIST_EACH(each, &the_worker()->sessions)
    {
        const struct session *x = LIST_ENTRY(each, struct session, node);

        if (x->stream != s || !x->passed)
            continue;
        *client = x->client;
        *server = x->server;
        return true;
    }
    return endpoint_peer(stream_fd(s), client) && endpoint_local(stream_fd(s), server);
}
