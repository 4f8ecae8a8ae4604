#include "mail/service/connect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ipc/message.h"
#include "core/net/endpoint.h"
#include "mail/service/trigger.h"

#define ASK_FIELDS(F) F(text, request)
#define ANSWER_FIELDS(F) F(number, status)
IPC_MESSAGE(ask, ASK_FIELDS)
IPC_MESSAGE(reply, ANSWER_FIELDS)

static char directory[] = "/tmp/waybill-connect-XXXXXX";

/* ---- a service: answers with how many questions came over this connection; "quit" closes without an answer ---- */

struct server {
    int listener, connections;
    enum ipc_encoding encoding;
    struct task_group group;
};

static void serve(void *arg)
{
    struct server *server = arg;
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    AUTO_STREAM struct stream *s = NULL;
    struct ask a;
    struct reply reply = {0};
    struct err err;
    int fd = socket_accept(server->listener, NULL);

    assert_true(fd >= 0);
    server->connections++;
    s = stream_open(fd);
    if (server->encoding == IPC_PLAIN)
        assert_true(stream_printf(s, NEVER, &err, "protocol=test_protocol\n\n"));
    else
        assert_true(ipc_hello(s, "test_protocol", NEVER, &err));
    assert_true(stream_flush(s, NEVER, &err));
    while (ipc_read_as(server->encoding, s, &ask_shape, &arena, NEVER, &a, &err) == IPC_MESSAGE_READ) {
        if (slice_eq(a.request, S("quit")))
            return;
        reply.status++;
        if (!ipc_write_as(server->encoding, s, &reply_shape, &reply, NEVER, &err) || !stream_flush(s, NEVER, &err))
            return;
    }
}

static void accept_all(void *arg)
{
    struct server *server = arg;
    struct err err;

    while (task_wait_listener(server->listener, NEVER, &err)) {
        assert_true(group_spawn(&server->group, "serve", serve, server, &err));
        assert_true(task_yield(&err));
        assert_true(task_yield(&err));
    }
}

static void start_server(struct server *server, enum ipc_encoding encoding)
{
    struct err err;

    *server = (struct server){.encoding = encoding};
    group_init(&server->group);
    server->listener = local_listen("private/test", 10, &err);
    assert_true(server->listener >= 0);
    assert_true(group_spawn(&server->group, "accept", accept_all, server, &err));
}

static void stop_server(struct server *server)
{
    struct err err;

    group_cancel(&server->group);
    assert_true(group_wait(&server->group, deadline_in(SECONDS(2)), &err));
    fd_close(server->listener);
}

/* ---- connecting ---- */

static void start_late(void *arg)
{
    struct err err;

    assert_true(task_sleep(deadline_in(MILLIS(300)), &err));
    start_server(arg, IPC_ATTR0);
}

static void connect_body(void *arg)
{
    struct server server;
    struct task_group g;
    struct err err;
    struct stream *s;

    (void)arg;
    assert_null(service_connect("private", "test", "test_protocol", deadline_in(MILLIS(100)), &err));
    assert_int_equal(err.sys, ENOENT);
    group_init(&g);
    assert_true(group_spawn(&g, "late", start_late, &server, &err));
    s = service_connect("private", "test", "test_protocol", deadline_in(SECONDS(5)), &err);
    assert_non_null(s);
    assert_string_equal(stream_name(s), "private/test socket");
    stream_close(s);
    assert_null(service_connect("private", "test", "other_protocol", deadline_in(SECONDS(5)), &err));
    assert_int_equal(err.kind, ERR_PEER);
    stop_server(&server);
}

static int64_t call(struct link_pool *p, slice request)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    struct ask a = {request};
    struct reply reply = {-1};
    struct err err;

    if (!link_call(p, &ask_shape, &a, &reply_shape, &reply, &arena, deadline_in(SECONDS(5)), &err))
        return -1;
    return reply.status;
}

static void pool_body(void *arg)
{
    enum ipc_encoding encoding = *(enum ipc_encoding *)arg;
    struct link_pool *p = link_pool_new_as(encoding, "private", "test", "test_protocol");
    struct server server;
    struct stream *one, *two;
    struct err err;

    start_server(&server, encoding);
    assert_int_equal(call(p, S("x")), 1);
    assert_int_equal(call(p, S("x")), 2); /* the same connection */
    assert_int_equal(server.connections, 1);
    one = link_borrow(p, NEVER, &err);
    two = link_borrow(p, NEVER, &err);
    assert_non_null(one);
    assert_non_null(two);
    assert_ptr_not_equal(one, two);
    assert_int_equal(server.connections, 2);
    link_return(p, one, false);
    link_return(p, two, true);
    assert_int_equal(call(p, S("x")), 1);
    assert_int_equal(call(p, S("quit")), -1); /* tried once more on a new one */
    assert_int_equal(server.connections, 3);
    assert_int_equal(call(p, S("x")), 1);

    /* The service restarts: the idle connection is found dead. */
    stop_server(&server);
    start_server(&server, encoding);
    assert_int_equal(call(p, S("x")), 1);
    stop_server(&server);
    link_pool_free(p);
}

/* ---- triggers ---- */

static size_t read_now(int fd, char *to, size_t bytes)
{
    struct err err;
    ssize_t n = -1;

    while ((n = read(fd, to, bytes)) < 0 && errno == EAGAIN)
        assert_true(task_wait_fd(fd, FD_READ, deadline_in(SECONDS(5)), &err));
    return n < 0 ? 0 : (size_t)n;
}

static void trigger_body(void *arg)
{
    struct err err;
    char got[32];
    int listener, fd, extra;

    (void)arg;
    assert_false(trigger_send("public/none", S("W"), &err));
    assert_string_equal(err.text, "unable to look up public/none: No such file or directory");

    listener = local_listen("public/socket", 10, &err);
    assert_true(listener >= 0);
    assert_true(trigger_send("public/socket", S("FAI"), &err));
    assert_true(task_wait_listener(listener, deadline_in(SECONDS(5)), &err));
    fd = socket_accept(listener, NULL);
    assert_int_equal(read_now(fd, got, sizeof got), 4);
    assert_memory_equal(got, "FAI", 4);
    fd_close(fd);

    /* While one is being served, all others become one. */
    for (int i = 0; i < 5; i++)
        trigger_later("public/socket", i < 3 ? S("W") : S("I"));
    assert_true(task_wait_listener(listener, deadline_in(SECONDS(5)), &err));
    fd = socket_accept(listener, NULL);
    assert_int_equal(read_now(fd, got, sizeof got), 3);
    assert_memory_equal(got, "WI", 3);
    for (int i = 0; i < 5; i++)
        trigger_later("public/socket", S("W"));
    assert_int_equal(socket_accept(listener, NULL), -1);
    fd_close(fd);
    assert_true(task_wait_listener(listener, deadline_in(SECONDS(5)), &err));
    fd = socket_accept(listener, NULL);
    assert_int_equal(read_now(fd, got, sizeof got), 2);
    assert_memory_equal(got, "W", 2);
    extra = socket_accept(listener, NULL);
    assert_int_equal(extra, -1);
    fd_close(fd);
    fd_close(listener);
    assert_true(trigger_send("public/socket", S("W"), &err)); /* nobody listens */

    assert_int_equal(mkfifo("public/fifo", 0600), 0);
    assert_true(trigger_send("public/fifo", S("W"), &err)); /* no reader */
    (void)unlink("public/socket");
    (void)unlink("public/fifo");
    loop_stop();
}

/* ---- frame ---- */

static void run(task_fn *body, void *arg)
{
    struct err err;

    assert_true(loop_run(body, arg, &err));
    (void)unlink("private/test");
}

static void connecting(void **state)
{
    (void)state;
    run(connect_body, NULL);
}

static void pools(void **state)
{
    enum ipc_encoding attr0 = IPC_ATTR0, plain = IPC_PLAIN;

    (void)state;
    run(pool_body, &attr0);
    run(pool_body, &plain);
}

static void triggers(void **state)
{
    (void)state;
    run(trigger_body, NULL);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    return chdir(directory) | mkdir("private", 0700) | mkdir("public", 0700);
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir("private") | rmdir("public") | rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(connecting), cmocka_unit_test(pools), cmocka_unit_test(triggers)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
