#include <ifaddrs.h>
#include <net/if.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/net/endpoint.h"

static unsigned char *address_bytes(struct endpoint *e, unsigned *bits)
{
    if (e->u.any.sa_family == AF_INET) {
        *bits = 32;
        return (unsigned char *)&e->u.v4.sin_addr;
    }
    *bits = 128;
    return e->u.v6.sin6_addr.s6_addr;
}

/* Clears what lies behind the first BITS; true when there was something. */
static bool clear_host_bits(unsigned char *bytes, unsigned bits, unsigned all_bits)
{
    bool had = false;

    for (unsigned i = 0; i < all_bits / 8; i++) {
        unsigned keep = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;
        unsigned char kept = (unsigned char)(bytes[i] & (0xff00U >> keep));

        had = had || kept != bytes[i];
        bytes[i] = kept;
    }
    return had;
}

/* "192.0.2.0/24", "[192.0.2.0/24]", "[192.0.2.0]/24" as two parts; without a slash *MASK is empty. */
static void split(slice text, slice *address, slice *mask)
{
    size_t slash;

    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = slice_of(text.p + 1, text.n - 2);
    slash = slice_find_last(text, '/');
    *address = slash == SLICE_NONE ? text : slice_head(text, slash);
    *mask = slash == SLICE_NONE ? slice_of(text.p, 0) : slice_skip(text, slash + 1);
}

bool net_block_parse(slice text, struct net_block *out, struct err *err)
{
    struct net_block block = {0};
    struct endpoint masked;
    slice address, mask;
    unsigned all_bits, bits;
    char shown[ENDPOINT_TEXT];
    bool has_mask = slice_find(text, '/') != SLICE_NONE;

    split(text, &address, &mask);
    if (has_mask && (!cut_uint(&mask, 1, 3, &bits) || mask.n > 0))
        return err_set(err, ERR_SYNTAX, "bad mask value in \"%.*s\"", S_ARG(text));
    if (!endpoint_parse(address, &block.base)) {
        if (has_mask)
            return err_set(err, ERR_SYNTAX, "bad network value in \"%.*s\"", S_ARG(text));
        return err_set(err, ERR_SYNTAX, "bad address pattern: \"%.*s\"", S_ARG(text));
    }
    masked = block.base;
    unsigned char *bytes = address_bytes(&masked, &all_bits);
    block.bits = has_mask ? bits : all_bits;
    if (block.bits > all_bits)
        return err_set(err, ERR_SYNTAX, "bad mask length in \"%.*s\"", S_ARG(text));
    if (clear_host_bits(bytes, block.bits, all_bits)) {
        endpoint_print(&masked, shown);
        return err_set(err, ERR_SYNTAX,
                       "non-null host address bits in \"%.*s\", perhaps you should use \"%s/%u\" instead", S_ARG(text),
                       shown, block.bits);
    }
    *out = block;
    return true;
}

bool net_block_has(const struct net_block *b, const struct endpoint *e)
{
    struct endpoint base = b->base, masked = *e;
    unsigned all_bits;

    if (base.u.any.sa_family == AF_INET)
        endpoint_unmap(&masked);
    if (masked.u.any.sa_family != base.u.any.sa_family ||
        (base.u.any.sa_family != AF_INET && base.u.any.sa_family != AF_INET6))
        return false;
    unsigned char *bytes = address_bytes(&masked, &all_bits);
    (void)clear_host_bits(bytes, b->bits, all_bits);
    return memcmp(bytes, address_bytes(&base, &all_bits), all_bits / 8) == 0;
}

/* ---- the machine's own ---- */

static unsigned count_bits(const struct endpoint *mask)
{
    struct endpoint copy = *mask;
    unsigned all_bits, bits = 0;
    unsigned char *bytes = address_bytes(&copy, &all_bits);

    while (bits < all_bits && (bytes[bits / 8] & (0x80U >> bits % 8)) != 0)
        bits++;
    return bits;
}

static bool copy_endpoint(const struct sockaddr *from, struct endpoint *to)
{
    *to = (struct endpoint){0};
    if (from == NULL)
        return false;
    if (from->sa_family == AF_INET)
        to->bytes = sizeof to->u.v4;
    else if (from->sa_family == AF_INET6)
        to->bytes = sizeof to->u.v6;
    else
        return false;
    memcpy(&to->u, from, to->bytes);
    return true;
}

bool interfaces_get(struct interface_address **out, size_t *count, struct err *err)
{
    struct interface_address *found = NULL;
    struct ifaddrs *all;
    size_t n = 0, room = 0;

    if (getifaddrs(&all) != 0)
        return err_sys(err, "list interface addresses");
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        struct interface_address one = {0};
        struct endpoint mask;

        if ((i->ifa_flags & IFF_UP) == 0 || !copy_endpoint(i->ifa_addr, &one.address))
            continue;
        if (copy_endpoint(i->ifa_netmask, &mask))
            one.bits = count_bits(&mask);
        if (n == room) {
            room = room == 0 ? 8 : room * 2;
            found = xrealloc_array(found, room, sizeof *found);
        }
        found[n++] = one;
    }
    freeifaddrs(all);
    *out = found;
    *count = n;
    return true;
}
