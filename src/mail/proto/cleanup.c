#include "mail/proto/cleanup.h"

#include "core/base/attributes.h"

struct cleanup_reply cleanup_reply_of(int64_t status)
{
    static const struct {
        int64_t bit;
        struct cleanup_reply reply;
    } rows[] = {
        {CLEANUP_TEMPORARY, {451, "4.7.1", "Error: message content temporarily rejected"}},
        {CLEANUP_PROXY, {451, "4.3.0", "Error: queue file write error"}},
        {CLEANUP_BAD, {451, "4.3.0", "Error: internal error"}},
        {CLEANUP_NO_RECIPIENTS, {550, "5.1.0", "Error: no recipients specified"}},
        {CLEANUP_HOPS, {554, "5.4.0", "Error: too many hops"}},
        {CLEANUP_SIZE, {552, "5.3.4", "Error: message file too big"}},
        {CLEANUP_CONTENT, {550, "5.7.1", "Error: message content rejected"}},
        {CLEANUP_WRITE, {451, "4.3.0", "Error: queue file write error"}},
        {CLEANUP_POLICY, {550, "5.7.1", "Error: message content rejected"}},
        {CLEANUP_BARE_LF, {521, "5.5.2", "Error: bare <LF> received"}},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if ((status & rows[i].bit) != 0)
            return rows[i].reply;
    return (struct cleanup_reply){451, "4.3.0", "Error: internal error"};
}
