#include <stdlib.h>

#include "core/base/bug.h"
#include "core/run/loop.h"
#include "core/run/page.h"

enum { PLENTY_OUT = 64 };

void *bulk_take(void)
{
    struct loop *l = loop_get();

    l->bulks_out++;
    return l->bulks_warm > 0 ? l->bulks[--l->bulks_warm] : xmalloc(BULK_BYTES);
}

void bulk_give(void *bulk)
{
    struct loop *l;

    if (bulk == NULL)
        return;
    if (!loop_is_there()) {
        free(bulk);
        return;
    }
    l = loop_get();
    l->bulks_out--;
#ifndef UNDER_ASAN /* which else would not see overruns */
    if (l->bulks_warm < BULKS_WARM) {
        l->bulks[l->bulks_warm++] = bulk;
        return;
    }
#endif
    free(bulk);
}

bool bulk_is_short(void)
{
    return loop_get()->bulks_out >= PLENTY_OUT;
}

void bulks_free(struct loop *l)
{
    while (l->bulks_warm > 0)
        free(l->bulks[--l->bulks_warm]);
}
