#include <errno.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"

enum { BURST = 32, PATIENCE = 4 };
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
    x->has_client = x->has_server = endpoint_parse(buf_slice(&n->client_address), &x->client) &&
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
    bool passed = strcmp(w->run.type, "pass") == 0;

    if (passed && !take_passed(x))
        return;
    x->stream = passed ? stream_open(x->fd) : stream_of_socket(x->fd);
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

static void begin_session(struct worker *w, int fd, const struct endpoint *client)
{
    struct session *x = xcalloc(1, sizeof *x);
    struct err err;

    x->fd = fd;
    x->client = *client;
    x->has_client = endpoint_is_inet(client);
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
    struct endpoint client;
    int fd = socket_accept(l->fd, &client);

    if (fd >= 0) {
        begin_session(l->worker, fd, &client);
        return true;
    }
    if (errno == EINTR || errno == ECONNABORTED)
        return true;
    listener_pause();
    return false;
}

/* Up to MOST of those who wait; how many. */
static int accept_some(struct listener *l, int most)
{
    int count = 0;

    while (count < most && !l->worker->draining && !worker_is_full(l->worker) && accept_one(l))
        count++;
    return count;
}

/* Asking whether one more waits costs as much as accepting one.  So it is one in a turn while they come singly, and only when
 * that has been so for some turns is it found out whether there are more. */
void stream_listener(void *arg)
{
    struct listener *l = arg;
    int most = 1, full_turns = 0;
    struct err err;

    while (listener_wait(l)) {
        if (accept_some(l, most) < most) {
            most = 1;
            full_turns = 0;
        } else if (++full_turns >= PATIENCE && most < BURST) {
            most *= 2;
        }
        if (most == BURST && !task_yield(&err))
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
    bool has_client = false, has_server = false;

    LIST_EACH(each, &the_worker()->sessions)
    {
        const struct session *x = LIST_ENTRY(each, struct session, node);

        if (x->stream != s)
            continue;
        has_client = x->has_client;
        has_server = x->has_server;
        *client = x->client;
        *server = x->server;
        break;
    }
    return (has_client || endpoint_peer(stream_fd(s), client)) && (has_server || endpoint_local(stream_fd(s), server));
}
