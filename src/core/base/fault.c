#include "core/base/fault.h"

#ifdef WAYBILL_FAULTS
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "core/base/cut.h"

enum { MOST_POINTS = 16 };

/* How often each point named in the plan has been passed; the plan's order is the index. */
static _Atomic int passes[MOST_POINTS];

static bool strike(slice what)
{
    int code = EIO;

    if (slice_eq(what, S("kill")))
        (void)kill(getpid(), SIGKILL);
    if (what.n > 0 && !slice_to_int(what, &code))
        code = EIO;
    errno = code;
    return true;
}

bool fault(const char *name)
{
    const char *plan = getauxval(AT_SECURE) ? NULL : getenv("WAYBILL_FAULT");
    slice rest = slice_text(plan), item;

    for (int i = 0; i < MOST_POINTS && cut_field(&rest, ',', &item); i++) {
        slice point, number;
        int wanted;

        if (!cut_field(&item, ':', &point) || !slice_eq(point, slice_text(name)) || !cut_field(&item, ':', &number) ||
            !slice_to_int(number, &wanted))
            continue;
        if (atomic_fetch_add(&passes[i], 1) + 1 == wanted)
            return strike(item);
    }
    return false;
}
#endif
