#include "core/net/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "core/base/cut.h"
#include "core/base/file.h"

static bool parse_v4(const char *text, struct endpoint *out)
{
    struct endpoint e = {.bytes = sizeof e.u.v4};

    e.u.v4.sin_family = AF_INET;
    if (inet_pton(AF_INET, text, &e.u.v4.sin_addr) != 1)
        return false;
    *out = e;
    return true;
}

static bool parse_v6(const char *text, struct endpoint *out)
{
    struct endpoint e = {.bytes = sizeof e.u.v6};

    e.u.v6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, text, &e.u.v6.sin6_addr) != 1)
        return false;
    *out = e;
    return true;
}

bool endpoint_parse(slice text, struct endpoint *out)
{
    char copy[ENDPOINT_TEXT];
    bool only_v6;

    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = slice_of(text.p + 1, text.n - 2);
    only_v6 = cut_prefix_case(&text, S("IPv6:"));
    if (!text_from_slice(text, copy, sizeof copy))
        return false;
    if (only_v6 || slice_find(text, ':') != SLICE_NONE)
        return parse_v6(copy, out);
    return parse_v4(copy, out);
}

void endpoint_unmap(struct endpoint *e)
{
    struct endpoint plain = {.bytes = sizeof plain.u.v4};

    if (e->u.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&e->u.v6.sin6_addr))
        return;
    plain.u.v4.sin_family = AF_INET;
    plain.u.v4.sin_port = e->u.v6.sin6_port;
    memcpy(&plain.u.v4.sin_addr, e->u.v6.sin6_addr.s6_addr + 12, 4);
    *e = plain;
}

void endpoint_print(const struct endpoint *e, char to[ENDPOINT_TEXT])
{
    struct endpoint plain = *e;
    const void *address = &plain.u.v6.sin6_addr;

    endpoint_unmap(&plain);
    if (plain.u.any.sa_family == AF_INET)
        address = &plain.u.v4.sin_addr;
    to[0] = '\0';
    if (plain.u.any.sa_family == AF_INET || plain.u.any.sa_family == AF_INET6)
        (void)inet_ntop(plain.u.any.sa_family, address, to, ENDPOINT_TEXT);
}

uint16_t endpoint_port(const struct endpoint *e)
{
    switch (e->u.any.sa_family) {
    case AF_INET:
        return ntohs(e->u.v4.sin_port);
    case AF_INET6:
        return ntohs(e->u.v6.sin6_port);
    default:
        return 0;
    }
}

void endpoint_set_port(struct endpoint *e, uint16_t port)
{
    if (e->u.any.sa_family == AF_INET)
        e->u.v4.sin_port = htons(port);
    else if (e->u.any.sa_family == AF_INET6)
        e->u.v6.sin6_port = htons(port);
}

bool endpoint_same_host(const struct endpoint *a, const struct endpoint *b)
{
    struct endpoint x = *a, y = *b;

    endpoint_unmap(&x);
    endpoint_unmap(&y);
    if (x.u.any.sa_family != y.u.any.sa_family)
        return false;
    switch (x.u.any.sa_family) {
    case AF_INET:
        return x.u.v4.sin_addr.s_addr == y.u.v4.sin_addr.s_addr;
    case AF_INET6:
        return memcmp(&x.u.v6.sin6_addr, &y.u.v6.sin6_addr, sizeof x.u.v6.sin6_addr) == 0;
    default:
        return x.bytes == y.bytes && memcmp(&x.u, &y.u, x.bytes) == 0;
    }
}

bool endpoint_is_loopback(const struct endpoint *e)
{
    struct endpoint plain = *e;

    endpoint_unmap(&plain);
    if (plain.u.any.sa_family == AF_INET)
        return ntohl(plain.u.v4.sin_addr.s_addr) >> 24 == 127;
    return plain.u.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&plain.u.v6.sin6_addr);
}

/* ---- the ends of a socket ---- */

bool endpoint_is_inet(const struct endpoint *e)
{
    return e->u.any.sa_family == AF_INET || e->u.any.sa_family == AF_INET6;
}

bool endpoint_peer(int fd, struct endpoint *out)
{
    struct endpoint e = {.bytes = sizeof e.u};

    if (getpeername(fd, &e.u.any, &e.bytes) != 0 || !endpoint_is_inet(&e))
        return false;
    endpoint_unmap(&e);
    *out = e;
    return true;
}

bool endpoint_local(int fd, struct endpoint *out)
{
    struct endpoint e = {.bytes = sizeof e.u};

    if (getsockname(fd, &e.u.any, &e.bytes) != 0 || !endpoint_is_inet(&e))
        return false;
    endpoint_unmap(&e);
    *out = e;
    return true;
}

bool port_parse(slice text, uint16_t *out)
{
    slice rest = text;
    unsigned number;
    char name[64];
    const struct servent *service;

    if (cut_uint(&rest, 1, 5, &number) && rest.n == 0) {
        *out = (uint16_t)number;
        return number > 0 && number < 65536;
    }
    if (!text_from_slice(text, name, sizeof name) || name[0] == '\0')
        return false;
    service = getservbyname(name, "tcp");
    if (service == NULL)
        return false;
    *out = ntohs((uint16_t)service->s_port);
    return true;
}
