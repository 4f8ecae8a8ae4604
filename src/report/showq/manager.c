#include "report/showq/manager.h"

#include "core/net/endpoint.h"
#include "mail/proto/qmgr.h"

enum { MEMORY = 10000, TOLD_MOST = 1 << 30 };
#define GREETING_US SECONDS(5)

static bool begin(struct manager *m, deadline by)
{
    const struct qmgr_list all = {.request = S("list")};
    struct qmgr_status answer;
    struct err err;

    return ipc_expect_hello(m->s, QMGR_CONTROL_PROTOCOL, by, &err) &&
           ipc_write(m->s, &qmgr_list_shape, &all, by, &err) &&
           ipc_read(m->s, &qmgr_status_shape, &m->arena, by, &answer, &err) == IPC_MESSAGE_READ &&
           answer.status == QMGR_OK;
}

static void give_up(struct manager *m)
{
    stream_close(m->s);
    m->s = NULL;
}

void manager_ask(struct manager *m)
{
    deadline by = deadline_in(GREETING_US);
    struct err err;
    int fd = local_connect(QMGR_CONTROL_SOCKET, by, &err);

    *m = (struct manager){.s = fd < 0 ? NULL : stream_open(fd),
                          .arena = ARENA_INIT(MEMORY),
                          .run = BUF_INIT(QMGR_RUN_MOST),
                          .told = BUF_INIT(TOLD_MOST)};
    if (m->s != NULL && !begin(m, by))
        give_up(m);
}

void manager_done(struct manager *m)
{
    give_up(m);
    arena_done(&m->arena);
    buf_done(&m->run);
    buf_done(&m->told);
}

static void note(struct manager *m, slice id)
{
    (void)buf_add(&m->told, id);
    (void)buf_add_char(&m->told, '\0');
}

/* In a run an id is the value after this name.  A sender of that name does no harm: what follows it is no id. */
static void note_ids(struct manager *m)
{
    slice rest = buf_slice(&m->run);
    size_t at;

    while ((at = slice_find_slice(rest, S("\0queue_id\0"))) != SLICE_NONE) {
        rest = slice_skip(rest, at + S("\0queue_id\0").n);
        note(m, slice_head(rest, slice_find(rest, '\0')));
    }
}

static bool read_run(struct manager *m, int64_t bytes, deadline by)
{
    struct err err;
    char *to;

    buf_clear(&m->run);
    to = bytes < 0 ? NULL : buf_reserve(&m->run, (size_t)bytes);
    if (to == NULL || !stream_read_exact(m->s, to, (size_t)bytes, by, &err))
        return false;
    buf_commit(&m->run, (size_t)bytes);
    note_ids(m);
    return true;
}

enum manager_got manager_next(struct manager *m, deadline by, slice *queue, slice *id)
{
    struct qmgr_run head;
    struct err err;

    arena_reset(&m->arena);
    if (m->s == NULL || ipc_read(m->s, &qmgr_run_shape, &m->arena, by, &head, &err) != IPC_MESSAGE_READ)
        return MANAGER_FAILED;
    if (head.bytes != 0)
        return read_run(m, head.bytes, by) ? MANAGER_RUN : MANAGER_FAILED;
    if (head.queue_id.n == 0)
        return MANAGER_END;
    note(m, head.queue_id);
    *queue = head.queue_name;
    *id = head.queue_id;
    return MANAGER_FILE;
}
