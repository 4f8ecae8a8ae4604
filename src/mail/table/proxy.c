/* proxy:type:name - a table that proxymap(8) opens for us.
 *
 * Each table keeps a few idle connections for five seconds.  With TABLE_NO_PROXY the table is opened here instead, so one
 * setting serves both kinds of program.  Source: proxymap(8), fact sheet ipc.md section 8.10. */
#include "core/base/bug.h"
#include "core/net/endpoint.h"
#include "mail/proto/proxymap.h"
#include "mail/table/inner.h"

enum { PROXY_IDLE_MOST = 8, PROXY_ANSWER_BYTES = 1 << 20 };
/* What Postfix's clients send: take locks, keys are UTF-8. */
enum { PROXY_FLAG_LOCK = 0x40, PROXY_FLAG_UTF8 = 0x80000 };

struct proxy {
    slice name; /* behind "proxy:" */
    char *text;
    struct table *direct; /* with TABLE_NO_PROXY */
    struct stream *idle[PROXY_IDLE_MOST];
    size_t idle_count;
    struct timer closer;
    bool closer_used, is_pattern;
};

static bool name_is_pattern(slice name)
{
    slice type = slice_head(name, slice_find(name, ':'));

    for (size_t i = 0; table_types[i] != NULL; i++) {
        if (slice_eq(slice_text(table_types[i]->name), type))
            return table_types[i]->is_pattern;
    }
    return false;
}

static void *proxy_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    struct proxy *p;
    struct table *direct = NULL;

    if (flags & TABLE_NO_PROXY) {
        direct = table_open(argument, flags, err);
        if (direct == NULL)
            return NULL;
        buf_add(warnings, table_warnings(direct));
        if (table_problem(direct) != NULL) {
            *err = *table_problem(direct);
            table_close(direct);
            return NULL;
        }
    }
    p = xcalloc(1, sizeof *p);
    p->direct = direct;
    p->text = xstrndup(argument.p, argument.n);
    p->name = slice_text(p->text);
    p->is_pattern = direct != NULL ? table_is_pattern(direct) : name_is_pattern(argument);
    return p;
}

static void close_idle(void *arg)
{
    struct proxy *p = arg;

    while (p->idle_count > 0)
        stream_close(p->idle[--p->idle_count]);
}

static void proxy_close(void *self)
{
    struct proxy *p = self;

    if (p->closer_used)
        timer_clear(&p->closer);
    close_idle(p);
    table_close(p->direct);
    free(p->text);
    free(p);
}

static struct stream *connect_once(deadline by, struct err *err)
{
    int fd = local_connect("private/" PROXYMAP_SERVICE, by, err);
    struct stream *s;

    if (fd < 0)
        return NULL;
    s = stream_of_socket(fd);
    stream_set_name(s, "private/" PROXYMAP_SERVICE " socket");
    if (ipc_expect_hello(s, PROXYMAP_PROTOCOL, by, err))
        return s;
    stream_close(s);
    return NULL;
}

static void keep(struct proxy *p, struct stream *s)
{
    if (p->idle_count == PROXY_IDLE_MOST) {
        stream_close(s);
        return;
    }
    p->idle[p->idle_count++] = s;
    p->closer_used = true;
    timer_set(&p->closer, deadline_in(SECONDS(5)), close_idle, p);
}

static bool exchange(struct stream *s, const struct proxy_lookup *ask, struct proxy_lookup_answer *answer,
                     struct arena *arena, deadline by, struct err *err)
{
    if (!ipc_write(s, &proxy_lookup_shape, ask, by, err) || !stream_flush(s, by, err))
        return false;
    switch (ipc_read(s, &proxy_lookup_answer_shape, arena, by, answer, err)) {
    case IPC_MESSAGE_READ:
        return true;
    case IPC_END:
        return err_set(err, ERR_PEER, "%s closed the connection", stream_name(s));
    case IPC_FAILED:
        return false;
    }
    return false;
}

/* Asks over an idle connection or a new one; tries again each second until BY. */
static bool ask_proxymap(struct proxy *p, slice key, struct arena *arena, deadline by, struct proxy_lookup_answer *answer,
                         struct err *err)
{
    struct proxy_lookup ask = {
        .request = S("lookup"), .table = p->name, .flags = PROXY_FLAG_LOCK | PROXY_FLAG_UTF8, .key = key};

    for (;;) {
        bool was_idle = p->idle_count > 0;
        struct stream *s = was_idle ? p->idle[--p->idle_count] : connect_once(by, err);

        if (s != NULL && exchange(s, &ask, answer, arena, by, err)) {
            keep(p, s);
            return true;
        }
        stream_close(s);
        if (err->kind == ERR_CANCELLED || err->kind == ERR_TIMEOUT || err->kind == ERR_LIMIT || deadline_passed(by))
            return false;
        if (!was_idle && !task_sleep(deadline_sooner(by, deadline_in(SECONDS(1))), err))
            return false;
    }
}

static enum table_got proxy_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    struct proxy *p = self;
    AUTO_ARENA struct arena arena = ARENA_INIT(PROXY_ANSWER_BYTES);
    struct proxy_lookup_answer answer;

    if (p->direct != NULL)
        return table_get(p->direct, key, by, value, err);
    if (slice_has_nul(key))
        return TABLE_NOT_FOUND;
    if (!ask_proxymap(p, key, &arena, by, &answer, err))
        return TABLE_FAILED;
    switch (answer.status) {
    case PROXY_OK:
        return value_set(value, answer.value, err);
    case PROXY_NO_KEY:
        return TABLE_NOT_FOUND;
    case PROXY_RETRY:
        err_set(err, ERR_TEMPORARY, "table proxy:%s: service proxymap: query error", p->text);
        return TABLE_FAILED;
    case PROXY_DENIED:
        err_set(err, ERR_CONFIG, "proxymap service is not configured for table \"%s\"", p->text);
        return TABLE_FAILED;
    default:
        err_set(err, ERR_PEER, "proxymap lookup failed for table \"%s\" key \"%.*s\": status %lld", p->text, S_ARG(key),
                (long long)answer.status);
        return TABLE_FAILED;
    }
}

static bool proxy_changed(const void *self)
{
    const struct proxy *p = self;
    return p->direct != NULL && table_changed(p->direct);
}

static bool proxy_is_pattern(const void *self)
{
    const struct proxy *p = self;
    return p->is_pattern;
}

const struct table_type table_proxy = {
    .name = "proxy", .open = proxy_open, .close = proxy_close, .get = proxy_get, .changed = proxy_changed,
    .is_pattern_self = proxy_is_pattern,
};
