#include "route/qmgr/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/net/endpoint.h"
#include "mail/events/events.h"
#include "mail/index/mentions.h"
#include "mail/proto/qmgr.h"
#include "mail/service/service.h"
#include "route/qmgr/deferred.h"
#include "route/qmgr/listing.h"
#include "route/qmgr/state.h"

enum { CLIENTS_MOST = 20, BACKLOG = 100, QUESTION_MEMORY = 10000, FLUSHED_SLICE = 500 };
#define QUESTION_US SECONDS(10)

static unsigned client_count;

/* A client, and its question. */
struct client {
    struct stream *s;
    deadline by;
    struct arena arena;
    struct err err;
};

static bool may_act(const struct client *c)
{
    struct ucred user = {.uid = (uid_t)-1};
    socklen_t bytes = sizeof user;

    return getsockopt(stream_fd(c->s), SOL_SOCKET, SO_PEERCRED, &user, &bytes) == 0 &&
           (user.uid == 0 || user.uid == geteuid());
}

static bool answer(struct client *c, enum qmgr_status_code status)
{
    return ipc_write(c->s, &qmgr_status_shape, &(struct qmgr_status){status}, c->by, &c->err);
}

static bool count(struct client *c)
{
    const struct index *ix = &qmgr.index;
    const struct qmgr_counts counts = {deferred_is_current() ? QMGR_OK : QMGR_NOT_YET, (int64_t)qmgr.active.count,
                                       (int64_t)ix->counts[INDEX_DEFERRED], (int64_t)ix->counts[INDEX_HOLD],
                                       (int64_t)ix->known};

    return ipc_skip_rest(c->s, &c->arena, c->by, &c->err) &&
           ipc_write(c->s, &qmgr_counts_shape, &counts, c->by, &c->err);
}

static bool list(struct client *c)
{
    struct qmgr_list_rest ask;

    if (!ipc_read_rest(c->s, &qmgr_list_rest_shape, &c->arena, deadline_in(QUESTION_US), &ask, &c->err))
        return false;
    if (!deferred_is_current())
        return answer(c, QMGR_NOT_YET);
    return answer(c, QMGR_OK) && listing_write(c->s, &ask, c->by, &c->err);
}

static bool flush_id(struct client *c, slice id)
{
    struct index_entry *e = index_find(&qmgr.index, id);

    if (e != NULL)
        deferred_press(e);
    return answer(c, e != NULL || deferred_is_current() ? QMGR_OK : QMGR_NOT_YET);
}

static bool flush_site(struct client *c, slice domain)
{
    struct index_mentions mentions;
    struct index_entry *e;
    unsigned done = 0;
    bool alive = true;

    index_mentions_begin(&qmgr.index, domain, &mentions);
    while (alive && (e = index_mentions_next(&mentions)) != NULL) {
        deferred_press(e);
        if (++done % FLUSHED_SLICE == 0)
            alive = task_yield(&c->err);
    }
    index_mentions_end(&mentions);
    return alive && answer(c, deferred_is_current() && index_is_complete(&qmgr.index) ? QMGR_OK : QMGR_NOT_YET);
}

static bool flush(struct client *c, bool (*what)(struct client *c, slice name))
{
    struct qmgr_flush_rest ask;

    if (!ipc_read_rest(c->s, &qmgr_flush_rest_shape, &c->arena, deadline_in(QUESTION_US), &ask, &c->err))
        return false;
    return may_act(c) ? what(c, ask.what) : answer(c, QMGR_DENIED);
}

static bool serve(struct client *c)
{
    slice request;

    if (!ipc_hello(c->s, QMGR_CONTROL_PROTOCOL, c->by, &c->err) || !stream_flush(c->s, c->by, &c->err) ||
        ipc_read_first(c->s, "request", &c->arena, deadline_in(QUESTION_US), &request, &c->err) != IPC_MESSAGE_READ)
        return false;
    if (slice_eq(request, S("list")))
        return list(c);
    if (slice_eq(request, S("count")))
        return count(c);
    if (slice_eq(request, S("flush_id")))
        return flush(c, flush_id);
    if (slice_eq(request, S("flush_site")))
        return flush(c, flush_site);
    return answer(c, QMGR_BAD);
}

/* What goes wrong with a client is the client's affair. */
static void client_run(void *arg)
{
    struct client c = {.s = arg, .by = deadline_in(qmgr.params->ipc_timeout_us), .arena = ARENA_INIT(QUESTION_MEMORY)};

    if (serve(&c))
        (void)!stream_flush(c.s, c.by, &c.err);
    stream_close(c.s);
    arena_done(&c.arena);
    client_count--;
}

static void start_client(struct stream *s)
{
    struct err err;

    client_count++;
    if (service_spawn("control", client_run, s, true, &err))
        return;
    client_count--;
    stream_close(s);
}

void control_run(void *unused)
{
    struct err err;
    int listener = local_listen(QMGR_CONTROL_SOCKET, BACKLOG, &err);

    (void)unused;
    if (listener < 0) {
        event_warning("%s; listings read all files", err.text);
        return;
    }
    while (task_wait_listener(listener, NEVER, &err)) {
        struct endpoint peer;
        int fd = socket_accept(listener, &peer);

        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED &&
                !task_sleep(deadline_in(SECONDS(1)), &err))
                break;
            continue;
        }
        if (client_count == CLIENTS_MOST) {
            fd_close(fd);
            continue;
        }
        start_client(stream_open(fd));
    }
    fd_close(listener);
}
