/* deliver/smtp/target.h - one address of one server of a destination. */
#ifndef DELIVER_SMTP_TARGET_H
#define DELIVER_SMTP_TARGET_H

#include "core/base/slice.h"
#include "core/net/endpoint.h"

struct target {
    struct target *next; /* best first; equal preferences in random order */
    slice host;          /* name, or the address for a literal */
    slice path;          /* of a UNIX socket, with a NUL behind it; else empty: */
    struct endpoint address;
    unsigned preference;
    unsigned family_rank, place; /* among those of the same preference */
};

/* Where this machine stands among the servers of a domain. */
enum own_place {
    OWN_IS_NONE,
    OWN_IS_WORSE, /* others are better, and alone are tried: no fallback relay may be asked instead */
    OWN_IS_BEST,  /* mail for it loops back */
};

#endif
