#include "mail/service/connect.h"

#include <errno.h>
#include <sys/socket.h>

#include "core/base/bug.h"
#include "core/ipc/message.h"
#include "core/net/endpoint.h"

#define RETRY_US SECONDS(1)
#define LINK_IDLE_US SECONDS(5)
#define LINK_AGE_US SECONDS(1000)

#define HELLO_FIELDS(F) F(text, protocol)
IPC_MESSAGE(hello, HELLO_FIELDS)

/* The hello of services that speak plain lists is plain too. */
static bool expect_hello(enum ipc_encoding e, struct stream *s, const char *protocol, deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(4096);
    struct hello hello;

    if (e == IPC_ATTR0)
        return ipc_expect_hello(s, protocol, by, err);
    switch (ipc_read_as(e, s, &hello_shape, &arena, by, &hello, err)) {
    case IPC_FAILED:
        return false;
    case IPC_END:
        return err_set(err, ERR_PEER, "%s: closed before its first word", stream_name(s));
    case IPC_MESSAGE_READ:
        break;
    }
    if (slice_eq(hello.protocol, slice_text(protocol)))
        return true;
    return err_set(err, ERR_PEER, "unexpected protocol %.*s from %s (expected: %s)", S_ARG(hello.protocol), stream_name(s),
                   protocol);
}

static bool nobody_there(const struct err *err)
{
    return err->kind == ERR_SYS && (err->sys == ENOENT || err->sys == ECONNREFUSED);
}

static struct stream *connect_as(enum ipc_encoding e, const char *service_class, const char *service,
                                 const char *protocol, deadline by, struct err *err)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)], name[sizeof path + 16];
    int fd;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", service_class, service) >= sizeof path) {
        (void)err_set(err, ERR_LIMIT, "service name too long: %.200s", service);
        return NULL;
    }
    while ((fd = local_connect(path, by, err)) < 0) {
        struct err unused;

        if (!nobody_there(err) || deadline_passed(by))
            return NULL;
        if (!task_sleep(deadline_sooner(by, deadline_in(RETRY_US)), &unused)) {
            *err = unused;
            return NULL;
        }
    }
    struct stream *s = stream_of_socket(fd);
    (void)snprintf(name, sizeof name, "%s socket", path);
    stream_set_name(s, name);
    if (protocol == NULL || expect_hello(e, s, protocol, by, err))
        return s;
    stream_close(s);
    return NULL;
}

struct stream *service_connect(const char *service_class, const char *service, const char *protocol, deadline by,
                               struct err *err)
{
    return connect_as(IPC_ATTR0, service_class, service, protocol, by, err);
}

/* ---- pools ---- */

struct link {
    struct list node;
    struct stream *stream;
    int64_t born_us, idle_since_us;
    unsigned requests;
};

struct link_pool {
    struct link_kind kind;
    char *service_class, *service, *protocol; /* of pools to our own services */
    enum ipc_encoding encoding;
    struct list idle;     /* most recently used first */
    struct list borrowed;
    struct timer sweep;
};

struct link_pool *link_pool_of(const struct link_kind *kind)
{
    struct link_pool *p = xcalloc(1, sizeof *p);

    p->kind = *kind;
    list_init(&p->idle);
    list_init(&p->borrowed);
    return p;
}

static struct stream *connect_service(void *arg, deadline by, struct err *err)
{
    const struct link_pool *p = arg;

    return connect_as(p->encoding, p->service_class, p->service, p->protocol, by, err);
}

struct link_pool *link_pool_new_as(enum ipc_encoding e, const char *service_class, const char *service, const char *protocol)
{
    const struct link_kind kind = {.connect = connect_service, .idle_us = LINK_IDLE_US, .age_us = LINK_AGE_US};
    struct link_pool *p = link_pool_of(&kind);

    p->kind.arg = p;
    p->encoding = e;
    p->service_class = xstrndup(service_class, strlen(service_class));
    p->service = xstrndup(service, strlen(service));
    p->protocol = xstrndup(protocol, strlen(protocol));
    return p;
}

struct link_pool *link_pool_new(const char *service_class, const char *service, const char *protocol)
{
    return link_pool_new_as(IPC_ATTR0, service_class, service, protocol);
}

static void drop(struct link *l)
{
    list_remove(&l->node);
    stream_close(l->stream);
    free(l);
}

void link_pool_free(struct link_pool *p)
{
    if (p == NULL)
        return;
    BUG_IF(!list_empty(&p->borrowed));
    if (heap_has(&p->sweep.node)) /* else there may be no loop */
        timer_clear(&p->sweep);
    LIST_EACH(each, &p->idle)
    drop(LIST_ENTRY(each, struct link, node));
    free(p->service_class);
    free(p->service);
    free(p->protocol);
    free(p);
}

static void sweep(void *arg)
{
    struct link_pool *p = arg;
    int64_t now = clock_monotonic_us();

    LIST_EACH(each, &p->idle)
    {
        struct link *l = LIST_ENTRY(each, struct link, node);

        if (now - l->idle_since_us >= p->kind.idle_us || now - l->born_us >= p->kind.age_us)
            drop(l);
    }
    if (!list_empty(&p->idle))
        timer_set(&p->sweep, deadline_in(p->kind.idle_us), sweep, p);
}

/* An idle connection that has something to read was closed by the service, or is out of step. */
static bool is_stale(const struct link *l)
{
    char c;

    return recv(stream_fd(l->stream), &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

struct stream *link_borrow(struct link_pool *p, deadline by, struct err *err)
{
    struct link *l;

    while ((l = LIST_FIRST(&p->idle, struct link, node)) != NULL) {
        list_remove(&l->node);
        if (clock_monotonic_us() - l->born_us < p->kind.age_us && !is_stale(l)) {
            list_push_front(&p->borrowed, &l->node);
            return l->stream;
        }
        drop(l);
    }
    struct stream *s = p->kind.connect(p->kind.arg, by, err);
    if (s == NULL)
        return NULL;
    l = xcalloc(1, sizeof *l);
    l->stream = s;
    l->born_us = clock_monotonic_us();
    list_push_front(&p->borrowed, &l->node);
    return s;
}

void link_return(struct link_pool *p, struct stream *s, bool reusable)
{
    LIST_EACH(each, &p->borrowed)
    {
        struct link *l = LIST_ENTRY(each, struct link, node);

        if (l->stream != s)
            continue;
        l->requests++;
        if (!reusable || l->requests == p->kind.requests || stream_buffered(s) > 0 || stream_pending(s) > 0) {
            drop(l);
            return;
        }
        list_remove(&l->node);
        l->idle_since_us = clock_monotonic_us();
        list_push_front(&p->idle, &l->node);
        if (!heap_has(&p->sweep.node))
            timer_set(&p->sweep, deadline_in(p->kind.idle_us), sweep, p);
        return;
    }
    bug("link_return: not borrowed from this pool");
}

bool service_read_answer(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape, struct arena *arena, deadline by,
                         void *answer, struct err *err)
{
    switch (ipc_read_as(e, s, shape, arena, by, answer, err)) {
    case IPC_FAILED:
        return false;
    case IPC_END:
        return err_set(err, ERR_PEER, "%s: closed without an answer", stream_name(s));
    case IPC_MESSAGE_READ:
        break;
    }
    return true;
}

static bool exchange(struct link_pool *p, struct stream *s, const struct ipc_shape *ask_shape, const void *ask,
                     const struct ipc_shape *answer_shape, void *answer, struct arena *arena, deadline by,
                     struct err *err)
{
    return ipc_write_as(p->encoding, s, ask_shape, ask, by, err) && stream_flush(s, by, err) &&
           service_read_answer(p->encoding, s, answer_shape, arena, by, answer, err);
}

/* The service went away, for example because it restarts. */
static bool was_cut_off(const struct err *err)
{
    return err->kind == ERR_PEER || err->kind == ERR_SYS;
}

bool link_call(struct link_pool *p, const struct ipc_shape *ask_shape, const void *ask,
               const struct ipc_shape *answer_shape, void *answer, struct arena *arena, deadline by, struct err *err)
{
    for (int attempt = 0;; attempt++) {
        struct stream *s = link_borrow(p, by, err);
        bool ok;

        if (s == NULL)
            return false;
        ok = exchange(p, s, ask_shape, ask, answer_shape, answer, arena, by, err);
        link_return(p, s, ok);
        if (ok || attempt > 0 || !was_cut_off(err))
            return ok;
    }
}
