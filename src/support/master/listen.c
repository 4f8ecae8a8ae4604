/* The listen sockets of a service, by its type. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/net/endpoint.h"
#include "mail/events/events.h"
#include "support/master/master.h"

enum { HIGH_DESCRIPTOR = 100, FIFO_MODE = 0622 };

int fd_keep_high(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);

    if (high < 0)
        return fd; /* few descriptors are allowed: dup2() in the child copes with low ones too */
    (void)close(fd);
    return high;
}

static bool keep(struct service_state *s, int fd, struct err *err)
{
    if (fd < 0)
        return false;
    if (s->listener_count == LISTENERS_MOST) {
        (void)close(fd);
        return err_set(err, ERR_LIMIT, "service %s: more than %d listen sockets", s->shown, LISTENERS_MOST);
    }
    s->listeners[s->listener_count++] = fd_keep_high(fd);
    return true;
}

static int backlog(const struct service_state *s)
{
    int most = master.params->default_process_limit;

    return s->process_limit > most ? s->process_limit : most;
}

/* Sockets and FIFOs in public/ and private/ belong to mail_owner. */
struct as_owner {
    bool switched;
};

static struct as_owner owner_begin(void)
{
    struct as_owner a = {false};

    if (!master.rootless && setegid(master.mail_gid) == 0)
        a.switched = seteuid(master.mail_uid) == 0;
    return a;
}

static void owner_end(struct as_owner *a)
{
    if (!master.rootless && (seteuid(0) != 0 || setegid(0) != 0))
        bug("cannot become root again: errno %d", errno);
    a->switched = false;
}

static int fifo_listen(const char *path, struct err *err)
{
    char scrap[1024];
    struct stat st;
    int fd;

    if (lstat(path, &st) == 0 && unlink(path) != 0) {
        (void)err_sys(err, "remove %s", path);
        return -1;
    }
    if (mkfifo(path, FIFO_MODE) != 0) {
        (void)err_sys(err, "create fifo %s", path);
        return -1;
    }
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, FIFO_MODE) != 0) {
        (void)err_sys(err, "open fifo %s", path);
        fd_auto_close(&fd);
        return -1;
    }
    while (read(fd, scrap, sizeof scrap) > 0)
        continue;
    return fd;
}

static int datagram_listen(const char *path, struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    (void)unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || chmod(path, 0666) != 0) {
        (void)err_sys(err, "bind %s", path);
        fd_auto_close(&fd);
        return -1;
    }
    return fd;
}

static bool listen_local(struct service_state *s, struct err *err)
{
    CLEANUP(owner_end) struct as_owner owner = owner_begin();

    if (!master.rootless && !owner.switched)
        return err_sys(err, "act as %s", master.params->mail_owner);
    switch (s->row.type) {
    case MASTER_FIFO:
        return keep(s, fifo_listen(s->path, err), err);
    case MASTER_DGRAM:
        return keep(s, datagram_listen(s->path, err), err);
    default:
        return keep(s, local_listen(s->path, backlog(s), err), err);
    }
}

/* One address from getaddrinfo, unless the protocol is off. */
static bool listen_address(struct service_state *s, const struct addrinfo *a, struct err *err)
{
    struct endpoint e = {.bytes = a->ai_addrlen};

    memcpy(&e.u, a->ai_addr, a->ai_addrlen);
    if (!endpoint_is_loopback(&e))
        s->reachable = true;
    return keep(s, inet_listen(&e, backlog(s), err), err);
}

static bool protocol_wanted(slice name)
{
    slice list = slice_text(master.params->inet_protocols), word;

    while (cut_word(&list, ", \t\r\n", &word))
        if (slice_eq_case(word, S("all")) || slice_eq_case(word, name))
            return true;
    return false;
}

static bool machine_has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    (void)close(fd);
    return access("/proc/net/if_inet6", F_OK) == 0;
}

static bool listen_host(struct service_state *s, const char *host, const char *port, struct err *err)
{
    bool v4 = protocol_wanted(S("ipv4")), v6 = protocol_wanted(S("ipv6")) && machine_has_ipv6();
    struct addrinfo hints = {
        .ai_family = v4 && v6 ? AF_UNSPEC : v6 ? AF_INET6 : AF_INET,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE,
    };
    struct addrinfo *found;
    int code = getaddrinfo(host, port, &hints, &found);
    size_t before = s->listener_count;
    bool ok = true;

    if (code != 0)
        return err_set(err, ERR_CONFIG, "service %s: host %s, port %s: %s", s->shown, host == NULL ? "*" : host, port,
                       gai_strerror(code));
    for (const struct addrinfo *a = found; a != NULL && ok; a = a->ai_next)
        ok = listen_address(s, a, err);
    freeaddrinfo(found);
    return ok && (s->listener_count > before || err_set(err, ERR_CONFIG, "service %s: no usable address", s->shown));
}

static bool listen_inet(struct service_state *s, struct err *err)
{
    char *name = xstrndup(s->row.service, strlen(s->row.service)), *colon = strrchr(name, ':');
    slice hosts = slice_text(master.params->inet_interfaces), word;
    bool ok = true;

    if (colon != NULL) {
        char *host = name, *end = colon;

        *colon = '\0';
        if (host[0] == '[' && end[-1] == ']') {
            host++;
            end[-1] = '\0';
        }
        ok = listen_host(s, host, colon + 1, err);
        free(name);
        return ok;
    }
    while (ok && cut_word(&hosts, ", \t\r\n", &word)) {
        char host[300];

        if (slice_eq_case(word, S("all")))
            ok = listen_host(s, NULL, name, err);
        else if (slice_eq_case(word, S("loopback-only")))
            ok = (!protocol_wanted(S("ipv4")) || listen_host(s, "127.0.0.1", name, err)) &&
                 (!protocol_wanted(S("ipv6")) || !machine_has_ipv6() || listen_host(s, "::1", name, err));
        else if (!text_from_slice(word, host, sizeof host))
            ok = err_set(err, ERR_CONFIG, "inet_interfaces: bad name \"%.*s\"", S_ARG(word));
        else
            ok = listen_host(s, host, name, err);
    }
    free(name);
    return ok;
}

bool service_listen(struct service_state *s, struct err *err)
{
    bool ok = s->row.type == MASTER_INET ? listen_inet(s, err) : listen_local(s, err);

    if (s->row.type == MASTER_PASS)
        s->reachable = true;
    if (!ok)
        service_unlisten(s);
    return ok;
}

void service_unlisten(struct service_state *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        fd_close(s->listeners[i]);
    s->listener_count = 0;
    if (s->path != NULL)
        (void)unlink(s->path);
}
