#include "core/dns/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "core/dns/cache.h"
#include "core/dns/message.h"

/* ---- a name server that answers by the first label ---- */

static void add_name(struct buf *b, const char *name)
{
    slice rest = slice_text(name), label;

    while (rest.n > 0) {
        size_t dot = slice_find(rest, '.');

        label = dot == SLICE_NONE ? rest : slice_head(rest, dot);
        rest = dot == SLICE_NONE ? slice_skip(rest, rest.n) : slice_skip(rest, dot + 1);
        (void)buf_add_char(b, (char)label.n);
        (void)buf_add(b, label);
    }
    (void)buf_add_char(b, '\0');
}

static void add_u16(struct buf *b, unsigned v)
{
    (void)buf_add_char(b, (char)(v >> 8));
    (void)buf_add_char(b, (char)v);
}

/* A record whose owner is the question's name (or OWNER). */
static void add_record(struct buf *b, const char *owner, enum dns_type type, slice data)
{
    if (owner == NULL)
        add_u16(b, 0xc00c);
    else
        add_name(b, owner);
    add_u16(b, type);
    add_u16(b, 1);
    add_u16(b, 0);
    add_u16(b, 60);
    add_u16(b, (unsigned)data.n);
    (void)buf_add(b, data);
}

static void add_mx(struct buf *b, unsigned preference, const char *host)
{
    AUTO_BUF struct buf data = BUF_INIT(600);

    add_u16(&data, preference);
    add_name(&data, host);
    add_record(b, NULL, DNS_MX, buf_slice(&data));
}

static void add_alias(struct buf *b, const char *owner, const char *target)
{
    AUTO_BUF struct buf data = BUF_INIT(600);

    add_name(&data, target);
    add_record(b, owner, DNS_CNAME, buf_slice(&data));
}

/* The answer section for the question; returns how many records, or minus the rcode.  -100: TC; -200: silence. */
static unsigned asked;

static int answer_section(slice label, unsigned type, bool tcp, struct buf *b)
{
    asked++;
    if (slice_eq(label, S("two")) && type == DNS_A) {
        add_record(b, NULL, DNS_A, S("\xc0\x00\x02\x01"));
        add_record(b, NULL, DNS_A, S("\xc0\x00\x02\x02"));
        return 2;
    }
    if (slice_eq(label, S("two")) && type == DNS_AAAA) {
        add_record(b, NULL, DNS_AAAA, S("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"));
        return 1;
    }
    if (slice_eq(label, S("two")) && type == DNS_MX) {
        add_mx(b, 20, "b.example");
        add_mx(b, 10, "a.example");
        return 2;
    }
    if (slice_eq(label, S("two")) && type == DNS_TXT) {
        add_record(b, NULL, DNS_TXT, S("\x03one\x03two"));
        return 1;
    }
    if (slice_eq(label, S("7")) && type == DNS_PTR) {
        AUTO_BUF struct buf data = BUF_INIT(600);

        add_name(&data, "host.example");
        add_record(b, NULL, DNS_PTR, buf_slice(&data));
        return 1;
    }
    if (slice_eq(label, S("nullmx"))) {
        add_mx(b, 0, "");
        return 1;
    }
    if (slice_eq(label, S("alias"))) {
        add_alias(b, NULL, "real.example");
        add_record(b, "real.example", DNS_A, S("\xc0\x00\x02\x07"));
        return 2;
    }
    if (slice_eq(label, S("half"))) { /* the server does not follow it */
        add_alias(b, NULL, "two.example");
        return 1;
    }
    if (slice_eq(label, S("loop"))) {
        add_alias(b, NULL, "loop.example");
        return 1;
    }
    if (slice_eq(label, S("short"))) {
        add_record(b, NULL, DNS_A, S("\xc0\x00\x02"));
        return 1;
    }
    if (slice_eq(label, S("odd"))) {
        add_mx(b, 1, "a b");
        return 1;
    }
    if (slice_eq(label, S("large"))) {
        if (!tcp)
            return -100;
        for (unsigned i = 0; i < 120; i++)
            add_mx(b, i, "a-rather-long-name-that-does-not-fit-many-times.example");
        return 120;
    }
    if (slice_eq(label, S("nodata")))
        return 0;
    if (slice_eq(label, S("servfail")))
        return -2;
    if (slice_eq(label, S("formerr")))
        return -1;
    if (slice_eq(label, S("half-dead"))) {
        add_alias(b, NULL, "nx.example");
        return 1;
    }
    if (slice_eq(label, S("refused")))
        return -5;
    if (slice_eq(label, S("silent")))
        return -200;
    return -3;
}

/* False: no reply. */
static bool make_reply(slice question, bool tcp, struct buf *out)
{
    AUTO_BUF struct buf answers = BUF_INIT(100000);
    size_t label = (unsigned char)question.p[12], at = 12;

    while (question.p[at] != 0)
        at += (unsigned char)question.p[at] + 1U;
    unsigned type = (unsigned)(unsigned char)question.p[at + 1] << 8 | (unsigned char)question.p[at + 2];
    int n = answer_section(slice_of(question.p + 13, label), type, tcp, &answers);
    if (n == -200)
        return false;
    (void)buf_add(out, slice_head(question, 2));
    (void)buf_add_char(out, (char)(n == -100 ? 0x82 : 0x80));
    (void)buf_add_char(out, (char)(n < 0 && n != -100 ? 0x20 - n : 0x20)); /* AD */
    add_u16(out, 1);
    add_u16(out, n > 0 ? (unsigned)n : 0);
    add_u16(out, 0);
    add_u16(out, 0);
    (void)buf_add(out, slice_of(question.p + 12, at + 5 - 12));
    (void)buf_add(out, buf_slice(&answers));
    return true;
}

static void udp_server(void *arg)
{
    int fd = *(int *)arg;
    struct err err;
    char packet[1500];

    for (;;) {
        AUTO_BUF struct buf reply = BUF_INIT(100000);
        struct endpoint from = {.bytes = sizeof from.u};
        ssize_t n = recvfrom(fd, packet, sizeof packet, 0, &from.u.any, &from.bytes);

        if (n < 0) {
            if (!task_wait_fd(fd, FD_READ, NEVER, &err))
                return;
            continue;
        }
        if (make_reply(slice_of(packet, (size_t)n), false, &reply))
            (void)!sendto(fd, reply.p, reply.n, 0, &from.u.any, from.bytes);
    }
}

static void tcp_server(void *arg)
{
    int listener = *(int *)arg, fd;
    struct err err;
    char packet[1500];

    for (;;) {
        AUTO_BUF struct buf reply = BUF_INIT(100000);
        ssize_t n;

        if (!task_wait_fd(listener, FD_READ, NEVER, &err))
            return;
        fd = socket_accept(listener, NULL);
        if (fd < 0)
            continue;
        while ((n = recv(fd, packet, sizeof packet, 0)) < 0 && task_wait_fd(fd, FD_READ, NEVER, &err))
            ;
        add_u16(&reply, 0);
        (void)make_reply(slice_of(packet + 2, (size_t)n - 2), true, &reply);
        reply.p[0] = (char)((reply.n - 2) >> 8);
        reply.p[1] = (char)(reply.n - 2);
        /* In two pieces, so that the reader has to wait in between. */
        assert_int_equal(send(fd, reply.p, 1000, 0), 1000);
        assert_true(task_sleep(deadline_in(MILLIS(20)), &err));
        assert_int_equal(send(fd, reply.p + 1000, reply.n - 1000, 0), (ssize_t)reply.n - 1000);
        (void)!task_sleep(deadline_in(MILLIS(50)), &err);
        fd_close(fd);
    }
}

/* ---- questions ---- */

static const char *show(const struct dns_answer *a)
{
    static char text[300];
    size_t n = 0;

    text[0] = '\0';
    for (const struct dns_record *r = a->records; r != NULL && n < 200; r = r->next) {
        char address[ENDPOINT_TEXT];

        endpoint_print(&r->address, address);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%u:%.*s%s", n > 0 ? " " : "", r->preference, S_ARG(r->text), address);
    }
    return text;
}

static void ask_all(struct dns *d)
{
    static const struct {
        const char *name;
        enum dns_type type;
        enum dns_got got;
        const char *text; /* of the records, or the reason's end */
    } rows[] = {
        {"two.example", DNS_A, DNS_FOUND, "0:192.0.2.1 0:192.0.2.2"},
        {"two.example.", DNS_A, DNS_FOUND, "0:192.0.2.1 0:192.0.2.2"},
        {"TWO.example", DNS_AAAA, DNS_NO_NAME, "name=TWO.example type=AAAA: Host not found"},
        {"two.example", DNS_AAAA, DNS_FOUND, "0:2001:db8::1"},
        {"two.example", DNS_MX, DNS_FOUND, "20:b.example 10:a.example"},
        {"two.example", DNS_TXT, DNS_FOUND, "0:onetwo"},
        {"nullmx.example", DNS_MX, DNS_FOUND, "0:"},
        {"alias.example", DNS_A, DNS_FOUND, "0:192.0.2.7"},
        {"half.example", DNS_A, DNS_FOUND, "0:192.0.2.1 0:192.0.2.2"},
        {"loop.example", DNS_A, DNS_NO_NAME, "Name server loop for loop.example"},
        {"short.example", DNS_A, DNS_BAD, "Malformed or unexpected name server reply"},
        {"odd.example", DNS_MX, DNS_BAD, "Malformed or unexpected name server reply"},
        {"nx.example", DNS_MX, DNS_NO_NAME,
         "Host or domain name not found. Name service error for name=nx.example type=MX: Host not found"},
        {"nodata.example", DNS_A, DNS_NO_DATA, "type=A: Host found but no data record of requested type"},
        {"servfail.example", DNS_MX, DNS_TRY_AGAIN, "type=MX: Host not found, try again"},
        {"refused.example", DNS_MX, DNS_TRY_AGAIN, "type=MX: Host not found, try again"},
        {"formerr.example", DNS_MX, DNS_NO_WAY, "type=MX: Non-recoverable error"},
        {"half-dead.example", DNS_A, DNS_NO_NAME, "name=nx.example type=A: Host not found"},
        {"silent.example", DNS_A, DNS_TRY_AGAIN, "type=A: Host not found, try again"},
        {"a..b", DNS_A, DNS_BAD, "Malformed or unexpected name server reply"},
        {"", DNS_A, DNS_BAD, "Malformed or unexpected name server reply"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        struct dns_answer a;
        struct err err = {0};
        enum dns_got got;

        print_message("%s\n", rows[i].name);
        got = dns_lookup(d, slice_text(rows[i].name), rows[i].type, &arena, deadline_in(MILLIS(500)), &a, &err);
        assert_int_equal(got, rows[i].got);
        if (got == DNS_FOUND)
            assert_string_equal(show(&a), rows[i].text);
        else
            assert_true(slice_ends(slice_text(a.reason), slice_text(rows[i].text)));
        assert_false(a.authenticated);
    }
}

static void asks_over_tcp(struct dns *d)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    AUTO_ARENA struct arena small = ARENA_INIT(5000);
    struct dns_answer a;
    struct err err = {0};
    unsigned n = 0;

    assert_int_equal(dns_lookup(d, S("large.example"), DNS_MX, &arena, deadline_in(SECONDS(5)), &a, &err), DNS_FOUND);
    for (const struct dns_record *r = a.records; r != NULL; r = r->next)
        assert_int_equal(r->preference, n++);
    assert_int_equal(n, DNS_RECORDS_MOST);
    assert_true(a.cut);
    assert_int_equal(dns_lookup(d, S("large.example"), DNS_MX, &small, deadline_in(SECONDS(5)), &a, &err), DNS_FAILED);
    assert_int_equal(err.kind, ERR_LIMIT);
}

struct crowd {
    struct dns *dns;
    unsigned right;
};

static void one_of_many(void *arg)
{
    struct crowd *c = arg;
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    struct dns_answer a;
    struct err err;

    for (int i = 0; i < 30; i++, arena_reset(&arena))
        if (dns_lookup(c->dns, S("two.example"), DNS_MX, &arena, deadline_in(SECONDS(5)), &a, &err) == DNS_FOUND)
            c->right++;
}

static void many_at_once(struct dns *d)
{
    struct crowd crowd = {d, 0};
    struct task_group g;
    struct err err;

    group_init(&g);
    for (int i = 0; i < 50; i++)
        assert_true(group_spawn(&g, "asker", one_of_many, &crowd, &err));
    assert_true(group_wait(&g, deadline_in(SECONDS(20)), &err));
    assert_int_equal(crowd.right, 1500);
}

static void cancelled(void *arg)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    struct dns_answer a;
    struct err err;

    assert_int_equal(dns_lookup(arg, S("silent.example"), DNS_A, &arena, NEVER, &a, &err), DNS_FAILED);
    assert_int_equal(err.kind, ERR_CANCELLED);
}

/* The second time without a question; the same answer, in memory of its own. */
static void remembers(struct dns *d)
{
    static const char *const names[] = {"two.example", "TWO.Example", "nx.example", "nodata.example", "servfail.example"};
    struct dns_cache *c = dns_cache_new(d, 2, SECONDS(30));

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_ARENA struct arena first = ARENA_INIT(10000), second = ARENA_INIT(10000);
        struct dns_answer a, b;
        enum dns_got got;
        struct err err;
        unsigned before = asked;
        char shown[300];

        got = dns_cache_lookup(c, slice_text(names[i]), DNS_A, &first, deadline_in(SECONDS(5)), &a, &err);
        assert_true(i == 1 ? asked == before : asked > before);
        before = asked;
        assert_int_equal(dns_cache_lookup(c, slice_text(names[i]), DNS_A, &second, deadline_in(SECONDS(5)), &b, &err), got);
        assert_int_equal(asked, before);
        (void)snprintf(shown, sizeof shown, "%s", show(&a));
        arena_done(&first);
        assert_string_equal(show(&b), shown);
        assert_string_equal(b.reason, a.reason);
        if (got == DNS_FOUND) /* of two, the oldest has gone when a third came */
            assert_true(slice_eq(b.canonical, S("two.example")));
    }
    {
        AUTO_ARENA struct arena arena = ARENA_INIT(10000);
        struct dns_answer a;
        struct err err;
        unsigned before = asked;

        assert_int_equal(dns_cache_lookup(c, S("two.example"), DNS_A, &arena, deadline_in(SECONDS(5)), &a, &err), DNS_FOUND);
        assert_true(asked > before);
        assert_int_equal(dns_cache_lookup(c, S("two.example"), DNS_MX, &arena, deadline_in(SECONDS(5)), &a, &err), DNS_FOUND);
        assert_string_equal(show(&a), "20:b.example 10:a.example");
    }
    dns_cache_free(c);
}

static void trust(uint16_t port)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    struct dns_answer a;
    struct err err;
    struct endpoint seven;
    struct dns *d = dns_open_at("127.0.0.1", port, &err);

    dns_trust_resolver(d, S("127.0.0.1"));
    assert_true(endpoint_parse(S("192.0.2.7"), &seven));
    assert_int_equal(dns_lookup_ptr(d, &seven, &arena, deadline_in(SECONDS(5)), &a, &err), DNS_FOUND);
    assert_true(a.authenticated);
    assert_true(slice_eq(a.records->text, S("host.example")));
    dns_close(d);
}

static void body(void *arg)
{
    struct endpoint at;
    struct err err;
    struct task_group servers, g;
    struct dns *d;
    int udp, tcp;

    (void)arg;
    assert_true(endpoint_parse(S("127.0.0.1"), &at));
    tcp = inet_listen(&at, 10, &err);
    assert_true(tcp >= 0);
    assert_true(endpoint_local(tcp, &at));
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(udp, &at.u.any, at.bytes), 0);
    group_init(&servers);
    assert_true(group_spawn(&servers, "udp", udp_server, &udp, &err));
    assert_true(group_spawn(&servers, "tcp", tcp_server, &tcp, &err));

    d = dns_open_at("127.0.0.1", endpoint_port(&at), &err);
    assert_non_null(d);
    assert_false(dns_config_changed(d));
    ask_all(d);
    asks_over_tcp(d);
    many_at_once(d);
    remembers(d);
    group_init(&g);
    assert_true(group_spawn(&g, "cancelled", cancelled, d, &err));
    assert_true(task_sleep(deadline_in(MILLIS(20)), &err));
    group_cancel(&g);
    assert_true(group_wait(&g, deadline_in(SECONDS(1)), &err));
    dns_close(d);
    trust(endpoint_port(&at));

    group_cancel(&servers);
    assert_true(group_wait(&servers, deadline_in(SECONDS(1)), &err));
    fd_close(udp);
    fd_close(tcp);
}

static void questions(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(body, NULL, &err));
}

static void host_body(void *arg)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    struct dns_answer a;
    struct err err;
    struct endpoint e;

    (void)arg;
    assert_int_equal(host_lookup(S("localhost"), AF_INET, &arena, NEVER, &a, &err), DNS_FOUND);
    assert_string_equal(show(&a), "0:127.0.0.1");
    assert_true(endpoint_parse(S("127.0.0.1"), &e));
    assert_int_equal(host_lookup_name(&e, &arena, NEVER, &a, &err), DNS_FOUND);
    assert_true(slice_starts(a.records->text, S("localhost")));
    assert_int_not_equal(host_lookup(S("no such name"), AF_UNSPEC, &arena, NEVER, &a, &err), DNS_FOUND);
    assert_true(slice_starts(slice_text(a.reason), S("unable to look up host no such name: ")));
}

static void hosts(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(host_body, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(questions), cmocka_unit_test(hosts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
