#include "deliver/smtp/connect.h"

#include <errno.h>

#include "core/base/file.h"
#include "deliver/smtp/greet.h"
#include "mail/events/events.h"

/* The address to connect from; settings_open() has seen to it that it is one. */
static bool has_bind_address(const struct settings *s, int family, struct endpoint *from)
{
    return endpoint_parse(slice_text(family == AF_INET6 ? s->bind_address6 : s->bind_address), from);
}

/* Is FROM an address of this machine? */
static bool can_bind(const struct endpoint *from, struct err *err)
{
    AUTO_FD int fd = socket(from->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char shown[ENDPOINT_TEXT];

    if (fd >= 0 && bind(fd, &from->u.any, from->bytes) == 0)
        return true;
    endpoint_print(from, shown);
    return err_sys(err, "bind %s", shown);
}

static int connect_over_network(const struct target *t, const struct settings *s, deadline by, struct err *err)
{
    struct endpoint from;
    bool binds = has_bind_address(s, t->address.u.any.sa_family, &from);

    if (binds && !can_bind(&from, err)) {
        event_warning("smtp_connect_addr: %s", err->text);
        binds = false;
        if (s->bind_address_enforce) {
            (void)err_set(err, ERR_CONFIG, "server configuration error");
            return -1;
        }
    }
    return inet_connect(&t->address, binds ? &from : NULL, by, err);
}

static int connect_to(const struct target *t, const struct settings *s, struct err *err)
{
    deadline by = deadline_in(s->connect_timeout_us > 0 ? s->connect_timeout_us : SECONDS(3600));

    return t->path.n > 0 ? local_connect(t->path.p, by, err) : connect_over_network(t, s, by, err);
}

static struct outcome not_connected(const struct connection *c, const struct target *t, struct arena *arena,
                                    const struct err *err)
{
    const char *what = err->kind == ERR_SYS       ? strerror(err->sys)
                       : err->kind == ERR_TIMEOUT ? "Connection timed out"
                                                  : err->text;
    bool is_ours = err->kind == ERR_CONFIG;
    slice reason = is_ours ? arena_keep(arena, slice_text(err->text), S("server configuration error"))
                           : arena_format(arena, S("connect failed"), "connect to %s: %s", c->relay, what);

    if (t->path.n == 0)
        event_info("%.*s", S_ARG(reason));
    return (struct outcome){
        .kind = OUTCOME_DEFERRED, .dsn = {4, 4, is_ours ? 0 : 1}, .reason = reason, .relay = S("none")};
}

static struct connection *greeted(struct connection *c, const struct destination *d, const struct errand *errand,
                                  struct outcome *why)
{
    if (connection_greet(c, d, errand, why))
        return c;
    connection_part(c);
    return NULL;
}

struct connection *connection_begin(const struct destination *d, const struct target *t,
                                    const struct settings *settings, const struct errand *errand,
                                    struct stream *stream, struct outcome *why)
{
    struct connection *c = connection_new(d, t, settings, errand->queue_id);

    c->stream = stream;
    return greeted(c, d, errand, why);
}

struct connection *connection_open(const struct destination *d, const struct target *t,
                                   const struct settings *settings, const struct errand *errand, struct outcome *why)
{
    struct connection *c = connection_new(d, t, settings, errand->queue_id);
    struct err err;
    int fd = connect_to(t, settings, &err);

    if (fd < 0) {
        *why = not_connected(c, t, errand->arena, &err);
        connection_close(c, false);
        return NULL;
    }
    c->stream = stream_of_socket(fd);
    return greeted(c, d, errand, why);
}
