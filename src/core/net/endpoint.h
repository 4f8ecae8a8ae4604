/* core/net/endpoint.h - network addresses and sockets.
 *
 * An endpoint is an IPv4 or IPv6 address with a port, or a UNIX path.  Printing follows what the field shows:
 * "192.0.2.1", "2001:db8::1"; IPv4-mapped IPv6 addresses are shown and treated as IPv4.  Only the functions with a
 * deadline suspend.  Depends on: core/base, core/run. */
#ifndef CORE_NET_ENDPOINT_H
#define CORE_NET_ENDPOINT_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base/buf.h"
#include "core/run/task.h"

struct endpoint {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } u;
    socklen_t bytes;
};

enum { ENDPOINT_TEXT = 64 }; /* room for an address as text */

/* Parses "192.0.2.1", "2001:db8::1", also in brackets and with the prefix "IPv6:" (address literals).  Port 0. Pure. */
bool endpoint_parse(slice text, struct endpoint *out);
/* "25", or a name in /etc/services, which is read meanwhile: for configuration.  False: no such port. */
bool port_parse(slice text, uint16_t *out);
/* The address alone, without port, e.g. "192.0.2.1"; "" for UNIX. */
void endpoint_print(const struct endpoint *e, char to[ENDPOINT_TEXT]);
uint16_t endpoint_port(const struct endpoint *e);
void endpoint_set_port(struct endpoint *e, uint16_t port);
bool endpoint_same_host(const struct endpoint *a, const struct endpoint *b); /* ports aside */
bool endpoint_is_loopback(const struct endpoint *e);
/* Turns ::ffff:192.0.2.1 into 192.0.2.1. */
void endpoint_unmap(struct endpoint *e);
bool endpoint_is_inet(const struct endpoint *e);
/* getpeername / getsockname, unmapped.  False for sockets that are not inet. */
bool endpoint_peer(int fd, struct endpoint *out);
bool endpoint_local(int fd, struct endpoint *out);

/* ---- networks: "192.0.2.0/24", "[2001:db8::]/32" ---- */
struct net_block {
    struct endpoint base;
    unsigned bits;
};
/* Host bits must be zero: false with the field's message otherwise. */
bool net_block_parse(slice text, struct net_block *out, struct err *err);
bool net_block_has(const struct net_block *b, const struct endpoint *e);

/* This machine's interface addresses, by one netlink dump (getifaddrs).  Free with free(). */
struct interface_address {
    struct endpoint address;
    unsigned bits;
};
MUST_CHECK bool interfaces_get(struct interface_address **out, size_t *count, struct err *err);

/* ---- sockets (all close-on-exec) ---- */
/* Connects to the UNIX stream socket PATH (relative paths stay relative; sockaddr length is always 110).  Non-blocking;
 * EAGAIN (backlog full) is waited out.  -1: *ERR set. */
MUST_CHECK int local_connect(const char *path, deadline by, struct err *err);
/* Listens on PATH: unlink, socket, bind (length 110), chmod 0666, listen. */
MUST_CHECK int local_listen(const char *path, int backlog, struct err *err);
/* Connects to TO, from FROM unless NULL.  -1: ERR_SYS with errno, ERR_TIMEOUT, ERR_CANCELLED. */
MUST_CHECK int inet_connect(const struct endpoint *to, const struct endpoint *from, deadline by, struct err *err);
MUST_CHECK int inet_listen(const struct endpoint *at, int backlog, struct err *err);
/* Accepts one connection without waiting.  -1 with errno as by accept4 (EAGAIN: none). */
int socket_accept(int listener, struct endpoint *peer);

/* Passes FD over the UNIX stream socket SOCKET with one NUL byte, or receives one; the byte is consumed. */
MUST_CHECK bool fd_send(int socket, int fd, deadline by, struct err *err);
MUST_CHECK bool fd_receive(int socket, int *fd, deadline by, struct err *err);

#endif
