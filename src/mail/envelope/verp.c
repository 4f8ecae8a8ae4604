#include "mail/envelope/verp.h"

#include "mail/syntax/address.h"

bool verp_address(slice sender, slice delimiters, const struct recipient *r, struct buf *out)
{
    slice local, domain, rcpt_local, rcpt_domain;

    address_split(sender, &local, &domain);
    address_split(r->original.n > 0 ? r->original : r->address, &rcpt_local, &rcpt_domain);
    (void)buf_addf(out, "%.*s%c%.*s", S_ARG(local), delimiters.p[0], S_ARG(rcpt_local));
    if (rcpt_domain.n > 0)
        (void)buf_addf(out, "%c%.*s", delimiters.p[1], S_ARG(rcpt_domain));
    if (domain.n > 0)
        (void)buf_addf(out, "@%.*s", S_ARG(domain));
    return !out->overflow;
}

const char *verp_delimiters_fault(slice delimiters, slice allowed)
{
    if (delimiters.n != 2)
        return "need two VERP delimiter characters";
    if (slice_find(allowed, delimiters.p[0]) == SLICE_NONE)
        return "bad first VERP delimiter character";
    return slice_find(allowed, delimiters.p[1]) == SLICE_NONE ? "bad second VERP delimiter character" : NULL;
}
