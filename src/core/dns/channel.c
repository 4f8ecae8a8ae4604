#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/dns/inner.h"

/* ---- c-ares' sockets ----
 * c-ares opens and closes them when it likes, while tasks wait for them: a socket is really closed by the last of its tasks. */

struct pump {
    struct dns_channel *channel; /* NULL: c-ares has closed it */
    int fd, users;
    struct task *reader, *writer;
    bool drained; /* the last read said EAGAIN */
    struct list node;
};

static struct pump *find_pump(struct dns_channel *c, int fd)
{
    LIST_EACH(each, &c->pumps)
    {
        struct pump *p = LIST_ENTRY(each, struct pump, node);

        if (p->fd == fd)
            return p;
    }
    return NULL;
}

static void leave_pump(struct pump *p)
{
    if (--p->users > 0)
        return;
    fd_close(p->fd);
    free(p);
}

static void pump_in(void *arg)
{
    struct pump *p = arg;
    struct err err;

    p->reader = task_self();
    while (p->channel != NULL && task_wait_fd(p->fd, FD_READ, NEVER, &err)) {
        p->drained = false;
        while (p->channel != NULL && !p->drained) {
            struct dns_channel *c = p->channel;

            ares_process_fd(c->ares, p->fd, ARES_SOCKET_BAD);
            channel_arm(c);
        }
    }
    p->reader = NULL;
    leave_pump(p);
}

static void pump_out(void *arg)
{
    struct pump *p = arg;
    struct err err;

    p->writer = task_self();
    if (p->channel != NULL && task_wait_fd(p->fd, FD_WRITE, NEVER, &err) && p->channel != NULL) {
        struct dns_channel *c = p->channel;

        p->writer = NULL; /* another one may be wanted */
        ares_process_fd(c->ares, ARES_SOCKET_BAD, p->fd);
        channel_arm(c);
    }
    if (p->writer == task_self())
        p->writer = NULL;
    leave_pump(p);
}

static void start_pump(struct pump *p, const char *name, task_fn *fn)
{
    struct err err;

    p->users++;
    if (!group_spawn(&p->channel->dns->pumps, name, fn, p, &err))
        p->users--; /* its questions end by timeout */
}

/* ---- what c-ares calls ---- */

static ares_socket_t on_socket(int family, int type, int protocol, void *channel)
{
    struct dns_channel *c = channel;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    struct pump *p;

    if (fd < 0)
        return -1;
    p = xcalloc(1, sizeof *p);
    p->channel = c;
    p->fd = fd;
    p->users = 1; /* c-ares */
    list_push_back(&c->pumps, &p->node);
    start_pump(p, "dns in", pump_in);
    return fd;
}

static int on_close(ares_socket_t fd, void *channel)
{
    struct pump *p = find_pump(channel, fd);

    if (p == NULL)
        return 0;
    list_remove(&p->node);
    p->channel = NULL;
    if (p->reader != NULL)
        task_cancel(p->reader);
    if (p->writer != NULL)
        task_cancel(p->writer);
    leave_pump(p);
    return 0;
}

static int on_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t bytes, void *channel)
{
    (void)channel;
    return connect(fd, to, bytes);
}

static ares_ssize_t on_receive(ares_socket_t fd, void *to, size_t bytes, int flags, struct sockaddr *from,
                               ares_socklen_t *from_bytes, void *channel)
{
    ares_ssize_t n = recvfrom(fd, to, bytes, flags, from, from_bytes);
    struct pump *p = find_pump(channel, fd);

    if (p != NULL && n <= 0)
        p->drained = true;
    return n;
}

static ares_ssize_t on_send(ares_socket_t fd, const struct iovec *parts, int count, void *channel)
{
    (void)channel;
    return writev(fd, parts, count);
}

/* Reading is always watched; writing only while it is wanted (TCP). */
static void on_state(void *channel, ares_socket_t fd, int readable, int writable)
{
    struct pump *p = find_pump(channel, fd);

    (void)readable;
    if (p != NULL && writable && p->writer == NULL)
        start_pump(p, "dns out", pump_out);
}

/* ---- channels ---- */

static void on_timeouts(void *channel)
{
    struct dns_channel *c = channel;

    ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    channel_arm(c);
}

static void free_channel(void *channel)
{
    struct dns_channel *c = channel;

    list_remove(&c->node);
    ares_destroy(c->ares);
    timer_clear(&c->timeouts);
    timer_clear(&c->end);
    free(c);
}

void channel_arm(struct dns_channel *c)
{
    struct timeval room;
    const struct timeval *wait = ares_timeout(c->ares, NULL, &room);

    if (wait == NULL)
        timer_clear(&c->timeouts);
    else
        timer_set(&c->timeouts, deadline_in(us_from_timeval(*wait)), on_timeouts, c);
    /* From the loop, since this may be called under c-ares. */
    if (c->retired && c->waiting == 0)
        timer_set(&c->end, AT_ONCE, free_channel, c);
}

void channel_answered(struct dns_channel *c)
{
    c->waiting--;
    if (c->retired && c->waiting == 0)
        timer_set(&c->end, AT_ONCE, free_channel, c);
}

static struct dns_channel *new_channel(struct dns *d, struct err *err)
{
    static const struct ares_socket_functions functions = {on_socket, on_close, on_connect, on_receive, on_send};
    struct dns_channel *c = xcalloc(1, sizeof *c);
    struct ares_options options = {.sock_state_cb = on_state, .sock_state_cb_data = c};
    struct ares_addr_port_node *servers;
    struct ares_options saved;
    int mask = 0, code;

    list_init(&c->pumps);
    c->dns = d;
    code = ares_save_options(d->pattern, &saved, &mask);
    if (code == ARES_SUCCESS) {
        saved.sock_state_cb = options.sock_state_cb;
        saved.sock_state_cb_data = options.sock_state_cb_data;
        code = ares_init_options(&c->ares, &saved, mask | ARES_OPT_SOCK_STATE_CB);
        ares_destroy_options(&saved);
    }
    if (code == ARES_SUCCESS && (code = ares_get_servers_ports(d->pattern, &servers)) == ARES_SUCCESS) {
        code = ares_set_servers_ports(c->ares, servers);
        ares_free_data(servers);
        if (code != ARES_SUCCESS)
            ares_destroy(c->ares);
    }
    if (code != ARES_SUCCESS) {
        free(c);
        (void)err_set(err, ERR_TEMPORARY, "resolver: %s", ares_strerror(code));
        return NULL;
    }
    ares_set_socket_functions(c->ares, &functions, c);
    list_push_back(&d->channels, &c->node);
    return c;
}

static void retire(struct dns_channel *c)
{
    c->retired = true;
    if (c->waiting == 0)
        timer_set(&c->end, AT_ONCE, free_channel, c);
}

struct dns_channel *channel_for_question(struct dns *d, struct err *err)
{
    if (!d->has_group) {
        group_init(&d->pumps);
        d->has_group = true;
    }
    /* On this host itself nobody can guess; elsewhere ports must not stay the same for long. */
    if (d->current != NULL && !d->only_local && d->current->asked >= QUESTIONS_PER_CHANNEL) {
        retire(d->current);
        d->current = NULL;
    }
    if (d->current == NULL)
        d->current = new_channel(d, err);
    if (d->current == NULL)
        return NULL;
    d->current->asked++;
    d->current->waiting++;
    return d->current;
}

void channels_free(struct dns *d)
{
    struct err err;

    LIST_EACH(each, &d->channels)
    free_channel(LIST_ENTRY(each, struct dns_channel, node));
    if (d->has_group)
        (void)!group_wait(&d->pumps, deadline_in(SECONDS(1)), &err);
}
