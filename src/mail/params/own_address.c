#include "mail/params/own_address.h"

#include <netdb.h>
#include <stdlib.h>

#include "core/base/bug.h"

#define LIST_SEPARATORS ", \t\r\n"

enum { TEXT_BYTES = 256 };

struct addresses {
    struct interface_address *all;
    size_t count, room;
};

bool inet_protocols_parse(slice text, bool *ipv4, bool *ipv6, struct err *err)
{
    slice left = text, item;
    bool braced, four = false, six = false;
    enum conf_got got;

    while ((got = conf_next_item(&left, LIST_SEPARATORS, &item, &braced, err)) == CONF_ITEM) {
        bool all = slice_eq_case(item, S("all")), is_four = slice_eq_case(item, S("ipv4"));

        if (!all && !is_four && !slice_eq_case(item, S("ipv6")))
            return err_set(err, ERR_CONFIG, "unknown inet_protocols value \"%.*s\" in \"%.*s\"", S_ARG(item), S_ARG(text));
        four |= all || is_four;
        six |= all || !is_four;
    }
    if (got == CONF_FAILED)
        return false;
    *ipv4 = four;
    *ipv6 = six;
    return true;
}

static bool is_v4(const struct interface_address *a)
{
    return a->address.u.any.sa_family == AF_INET;
}

static void add(struct addresses *list, const struct interface_address *one)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 8 : 2 * list->room;
        list->all = xrealloc_array(list->all, list->room, sizeof *list->all);
    }
    list->all[list->count++] = *one;
}

/* Which of the machine's addresses has the same host as E, or NULL. */
static const struct interface_address *find(const struct addresses *machine, const struct endpoint *e)
{
    for (size_t i = 0; i < machine->count; i++)
        if (endpoint_same_host(&machine->all[i].address, e))
            return &machine->all[i];
    return NULL;
}

static bool add_endpoint(struct addresses *list, const struct addresses *machine, const struct endpoint *e, struct err *err)
{
    const struct interface_address *known = find(machine, e);
    char text[ENDPOINT_TEXT];

    if (known == NULL) {
        endpoint_print(e, text);
        return err_set(err, ERR_CONFIG, "parameter inet_interfaces: no local interface found for %s", text);
    }
    if (find(list, e) == NULL)
        add(list, known);
    return true;
}

static bool add_host(struct addresses *list, const struct addresses *machine, slice name, bool ipv4, bool ipv6,
                     struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = ipv4 && ipv6 ? AF_UNSPEC : ipv4 ? AF_INET : AF_INET6};
    struct addrinfo *found;
    struct endpoint literal;
    char host[TEXT_BYTES];
    bool ok = true;

    if (endpoint_parse(name, &literal))
        return add_endpoint(list, machine, &literal, err);
    (void)snprintf(host, sizeof host, "%.*s", S_ARG(name));
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return err_set(err, ERR_CONFIG, "config variable inet_interfaces: host not found: %s", host);
    for (const struct addrinfo *a = found; a != NULL && ok; a = a->ai_next) {
        struct endpoint e = {.bytes = a->ai_addrlen};

        if (a->ai_addrlen > sizeof e.u)
            continue;
        memcpy(&e.u, a->ai_addr, a->ai_addrlen);
        ok = add_endpoint(list, machine, &e, err);
    }
    freeaddrinfo(found);
    return ok;
}

static int by_address(const void *a, const void *b)
{
    const struct interface_address *x = a, *y = b;

    if (is_v4(x) != is_v4(y))
        return is_v4(x) ? -1 : 1;
    if (is_v4(x))
        return memcmp(&x->address.u.v4.sin_addr, &y->address.u.v4.sin_addr, sizeof(struct in_addr));
    return memcmp(&x->address.u.v6.sin6_addr, &y->address.u.v6.sin6_addr, sizeof(struct in6_addr));
}

/* The machine's own, IPv4 first, in the order of the interfaces. */
static bool machine_addresses(struct addresses *machine, bool ipv4, bool ipv6, struct err *err)
{
    struct interface_address *all;
    size_t count;

    if (!interfaces_get(&all, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (ipv4 && is_v4(&all[i]))
            add(machine, &all[i]);
    for (size_t i = 0; i < count; i++)
        if (ipv6 && !is_v4(&all[i]))
            add(machine, &all[i]);
    free(all);
    return true;
}

static bool choose(slice interfaces, bool ipv4, bool ipv6, const struct addresses *machine, struct addresses *list,
                   struct err *err)
{
    slice left = interfaces, item;
    bool braced, whole = false;
    enum conf_got got;

    while ((got = conf_next_item(&left, LIST_SEPARATORS, &item, &braced, err)) == CONF_ITEM) {
        bool all = slice_eq_case(item, S("all")), loopback = slice_eq_case(item, S("loopback-only"));

        whole |= all || loopback;
        if (!all && !loopback && !add_host(list, machine, item, ipv4, ipv6, err))
            return false;
        for (size_t i = 0; (all || loopback) && i < machine->count; i++)
            if ((all || endpoint_is_loopback(&machine->all[i].address)) && find(list, &machine->all[i].address) == NULL)
                add(list, &machine->all[i]);
    }
    if (!whole && list->count > 1)
        qsort(list->all, list->count, sizeof *list->all, by_address);
    return got == CONF_END;
}

bool own_addresses_get(slice interfaces, slice protocols, struct interface_address **out, size_t *count, struct err *err)
{
    struct addresses machine = {0}, list = {0};
    bool ipv4, ipv6, ok;

    if (!inet_protocols_parse(protocols, &ipv4, &ipv6, err))
        return false;
    ok = machine_addresses(&machine, ipv4, ipv6, err) && choose(interfaces, ipv4, ipv6, &machine, &list, err);
    free(machine.all);
    if (!ok) {
        free(list.all);
        return false;
    }
    *out = list.all;
    *count = list.count;
    return true;
}

/* How many leading bits the style keeps of A. */
static unsigned style_bits(const struct interface_address *a, slice style)
{
    unsigned first = ((const unsigned char *)&a->address.u.v4.sin_addr)[0];

    if (!is_v4(a))
        return slice_eq(style, S("host")) ? 128 : a->bits;
    if (slice_eq(style, S("host")))
        return 32;
    if (slice_eq(style, S("subnet")))
        return a->bits;
    return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

static void mask(struct endpoint *e, unsigned bits)
{
    bool four = e->u.any.sa_family == AF_INET;
    unsigned char *bytes = four ? (unsigned char *)&e->u.v4.sin_addr : (unsigned char *)&e->u.v6.sin6_addr;
    unsigned size = four ? 4 : 16;

    for (unsigned i = 0; i < size; i++) {
        unsigned kept = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;

        bytes[i] = (unsigned char)(bytes[i] & (0xff00 >> kept));
    }
}

bool own_networks_print(const struct interface_address *addresses, size_t count, slice style, struct buf *out,
                        struct err *err)
{
    if (!slice_eq(style, S("host")) && !slice_eq(style, S("subnet")) && !slice_eq(style, S("class")))
        return err_set(err, ERR_CONFIG, "unknown mynetworks mask style value \"%.*s\" in \"%.*s\"", S_ARG(style),
                       S_ARG(style));
    for (size_t i = 0; i < count; i++) {
        struct interface_address net = addresses[i];
        bool four = is_v4(&net), seen = false;
        char text[ENDPOINT_TEXT];

        net.bits = style_bits(&net, style);
        mask(&net.address, net.bits);
        for (size_t j = 0; j < i && !seen; j++) {
            struct endpoint other = addresses[j].address;

            mask(&other, style_bits(&addresses[j], style));
            seen = is_v4(&addresses[j]) == four && style_bits(&addresses[j], style) == net.bits &&
                   endpoint_same_host(&other, &net.address);
        }
        if (seen)
            continue;
        endpoint_print(&net.address, text);
        buf_addf(out, four ? "%s%s/%u" : "%s[%s]/%u", out->n > 0 ? " " : "", text, net.bits);
    }
    return true;
}
