#include "core/net/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/attributes.h"

/* ---- text forms ---- */

static void addresses(void **state)
{
    static const struct {
        const char *name, *text, *shown; /* shown NULL: not an address */
    } rows[] = {
        {"v4", "192.0.2.1", "192.0.2.1"},
        {"v4 in brackets", "[192.0.2.1]", "192.0.2.1"},
        {"v6", "2001:DB8::1", "2001:db8::1"},
        {"v6 literal", "[IPv6:2001:db8::1]", "2001:db8::1"},
        {"v6 literal, any case", "[ipv6:::1]", "::1"},
        {"prefix without brackets", "IPv6:::1", "::1"},
        {"mapped is shown as v4", "::ffff:192.0.2.1", "192.0.2.1"},
        {"v4 after the v6 prefix", "[IPv6:192.0.2.1]", NULL},
        {"short v4", "192.0.2", NULL},
        {"too large", "192.0.2.256", NULL},
        {"leading zero", "192.0.2.01", NULL},
        {"half a bracket", "[192.0.2.1", NULL},
        {"empty", "", NULL},
        {"brackets alone", "[]", NULL},
        {"name", "mx.example.com", NULL},
        {"blank", " 192.0.2.1", NULL},
        {"zone", "fe80::1%eth0", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct endpoint e;
        char shown[ENDPOINT_TEXT];

        print_message("%s\n", rows[i].name);
        if (rows[i].shown == NULL) {
            assert_false(endpoint_parse(slice_text(rows[i].text), &e));
            continue;
        }
        assert_true(endpoint_parse(slice_text(rows[i].text), &e));
        endpoint_print(&e, shown);
        assert_string_equal(shown, rows[i].shown);
        assert_int_equal(endpoint_port(&e), 0);
        endpoint_set_port(&e, 2525);
        assert_int_equal(endpoint_port(&e), 2525);
    }
}

static void hosts(void **state)
{
    struct endpoint a, b, c, d;

    (void)state;
    assert_true(endpoint_parse(S("127.0.0.1"), &a));
    assert_true(endpoint_parse(S("::ffff:127.0.0.1"), &b));
    assert_true(endpoint_parse(S("::1"), &c));
    assert_true(endpoint_parse(S("128.0.0.1"), &d));
    endpoint_set_port(&a, 25);
    assert_true(endpoint_same_host(&a, &b));
    assert_false(endpoint_same_host(&a, &c));
    assert_true(endpoint_is_loopback(&a));
    assert_true(endpoint_is_loopback(&b));
    assert_true(endpoint_is_loopback(&c));
    assert_false(endpoint_is_loopback(&d));
    endpoint_set_port(&b, 7);
    endpoint_unmap(&b);
    assert_int_equal(b.u.any.sa_family, AF_INET);
    assert_int_equal(endpoint_port(&b), 7);
}

static void blocks(void **state)
{
    static const struct {
        const char *name, *text, *inside, *outside, *error;
    } rows[] = {
        {"v4", "192.0.2.0/24", "192.0.2.77", "192.0.3.1", NULL},
        {"odd length", "192.0.2.128/25", "192.0.2.200", "192.0.2.127", NULL},
        {"all", "0.0.0.0/0", "203.0.113.9", "2001:db8::1", NULL},
        {"one address", "192.0.2.1", "192.0.2.1", "192.0.2.2", NULL},
        {"brackets round all", "[192.0.2.0/24]", "192.0.2.1", "192.0.1.255", NULL},
        {"v6, brackets round the address", "[2001:db8::]/32", "2001:db8:ffff::1", "2001:db9::", NULL},
        {"v6 bare", "2001:db8::/32", "2001:db8::1", "192.0.2.1", NULL},
        {"v6 one", "[::1]/128", "::1", "::2", NULL},
        {"mapped client in a v4 block", "192.0.2.0/24", "::ffff:192.0.2.1", "::ffff:192.0.3.1", NULL},
        {"host bits", "10.0.0.1/8", NULL, NULL,
         "non-null host address bits in \"10.0.0.1/8\", perhaps you should use \"10.0.0.0/8\" instead"},
        {"v6 host bits", "[2001:db8::1]/32", NULL, NULL,
         "non-null host address bits in \"[2001:db8::1]/32\", perhaps you should use \"2001:db8::/32\" instead"},
        {"mask too long", "10.0.0.0/33", NULL, NULL, "bad mask length in \"10.0.0.0/33\""},
        {"no mask", "1.2.3.4/", NULL, NULL, "bad mask value in \"1.2.3.4/\""},
        {"bad network", "1.2.3/24", NULL, NULL, "bad network value in \"1.2.3/24\""},
        {"bad address", "abc", NULL, NULL, "bad address pattern: \"abc\""},
        {"empty", "", NULL, NULL, "bad address pattern: \"\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_block block;
        struct endpoint e;
        struct err err;

        print_message("%s\n", rows[i].name);
        if (rows[i].error != NULL) {
            assert_false(net_block_parse(slice_text(rows[i].text), &block, &err));
            assert_string_equal(err.text, rows[i].error);
            continue;
        }
        assert_true(net_block_parse(slice_text(rows[i].text), &block, &err));
        assert_true(endpoint_parse(slice_text(rows[i].inside), &e));
        assert_true(net_block_has(&block, &e));
        assert_true(endpoint_parse(slice_text(rows[i].outside), &e));
        assert_false(net_block_has(&block, &e));
    }
}

static void own_interfaces(void **state)
{
    struct interface_address *all = NULL;
    size_t count = 0;
    struct err err;
    bool loopback = false;

    (void)state;
    assert_true(interfaces_get(&all, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (endpoint_is_loopback(&all[i].address)) {
            loopback = true;
            assert_int_equal(all[i].bits, all[i].address.u.any.sa_family == AF_INET ? 8 : 128);
        }
    free(all);
    /* Only a namespace whose loopback is down has none. */
    if (count > 0)
        assert_true(loopback);
}

/* ---- sockets ---- */

static void body_sockets(void *arg)
{
    char directory[] = "/tmp/waybill-net-XXXXXX", path[64], passed[8] = "";
    struct endpoint at, peer, seen;
    struct err err;
    struct stat st;
    int listener, client, server, inet, pair[2], got = -1;

    (void)arg;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/s", directory);
    assert_int_equal(local_connect(path, deadline_in(SECONDS(1)), &err), -1);
    assert_int_equal(err.kind, ERR_SYS);
    assert_int_equal(err.sys, ENOENT);

    listener = local_listen(path, 1, &err);
    assert_true(listener >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
    assert_int_equal(socket_accept(listener, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    client = local_connect(path, deadline_in(SECONDS(1)), &err);
    assert_true(client >= 0);
    assert_true((fcntl(client, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(client, F_GETFD) & FD_CLOEXEC) != 0);
    server = socket_accept(listener, &peer);
    assert_true(server >= 0);
    assert_false(endpoint_peer(server, &seen));

    /* A full backlog is waited out. */
    assert_int_equal(local_connect(path, NEVER, &err) >= 0, true);
    assert_int_equal(local_connect(path, NEVER, &err) >= 0, true);
    assert_int_equal(local_connect(path, deadline_in(MILLIS(30)), &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);

    assert_int_equal(pipe(pair), 0);
    assert_true(fd_send(client, pair[1], NEVER, &err));
    assert_true(fd_receive(server, &got, deadline_in(SECONDS(1)), &err));
    assert_int_equal(write(got, "hello", 5), 5);
    assert_int_equal(read(pair[0], passed, sizeof passed), 5);
    assert_string_equal(passed, "hello");
    assert_int_equal(send(client, "x", 1, 0), 1);
    assert_false(fd_receive(server, &got, deadline_in(SECONDS(1)), &err));
    assert_int_equal(err.kind, ERR_PEER);
    assert_false(fd_receive(server, &got, deadline_in(MILLIS(10)), &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);

    assert_true(endpoint_parse(S("127.0.0.1"), &at));
    inet = inet_listen(&at, 10, &err);
    assert_true(inet >= 0);
    assert_true(endpoint_local(inet, &at));
    int c = inet_connect(&at, NULL, deadline_in(SECONDS(5)), &err);
    assert_true(c >= 0);
    struct err ignored;
    assert_true(task_wait_fd(inet, FD_READ, deadline_in(SECONDS(5)), &ignored));
    int s = socket_accept(inet, &peer);
    assert_true(s >= 0);
    assert_true(endpoint_local(c, &seen));
    assert_int_equal(endpoint_port(&seen), endpoint_port(&peer));
    assert_true(endpoint_peer(s, &seen));
    assert_int_equal(endpoint_port(&seen), endpoint_port(&peer));
    fd_close(inet);
    assert_int_equal(inet_connect(&at, NULL, deadline_in(SECONDS(5)), &err), -1);
    assert_int_equal(err.sys, ECONNREFUSED);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    loop_stop();
}

static void sockets(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(body_sockets, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(hosts),   cmocka_unit_test(blocks),
        cmocka_unit_test(own_interfaces), cmocka_unit_test(sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
