#include "mail/address/probe_sender.h"

#include "core/base/clock.h"
#include "mail/syntax/address.h"

enum { ADDRESS_MOST = 8192 };

/* Digits that are read to somebody without mistakes, and make no words. */
static void add_digits(uint64_t n, struct buf *out)
{
    static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZ";
    const uint64_t base = sizeof digits - 1;

    if (n >= base)
        add_digits(n / base, out);
    (void)buf_add_char(out, digits[n % base]);
}

/* SHIFT: periods from now. */
static bool sender_at(const struct params *p, int64_t now_s, int shift, struct buf *out)
{
    const int64_t period_s = p->address_verify_sender_ttl_us / SECONDS(1);
    slice configured = slice_text(p->address_verify_sender), local, domain;

    buf_clear(out);
    if (configured.n == 0 || slice_eq(configured, S("<>")))
        return true;
    address_split(configured, &local, &domain);
    (void)buf_add(out, local);
    if (period_s > 0)
        add_digits((uint64_t)(now_s / period_s + shift), out);
    (void)buf_add_char(out, '@');
    return buf_add(out, domain.n > 0 ? domain : slice_text(p->myorigin));
}

bool probe_sender(const struct params *p, int64_t now_s, struct buf *out)
{
    return sender_at(p, now_s, 0, out);
}

bool probe_sender_is(const struct params *p, int64_t now_s, slice address)
{
    AUTO_BUF struct buf sender = BUF_INIT(ADDRESS_MOST);

    for (int shift = -1; shift <= 1; shift++)
        if (sender_at(p, now_s, shift, &sender) && sender.n > 0 && slice_eq_case(buf_slice(&sender), address))
            return true;
    return false;
}
