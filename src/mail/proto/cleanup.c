#include "mail/proto/cleanup.h"

#include "core/base/attributes.h"
#include "core/base/cut.h"

bool cleanup_overrides_parse(slice list, unsigned *overrides, slice *unknown)
{
    static const struct {
        slice word;
        unsigned bit;
    } words[] = {
        {S_INIT("no_unknown_recipient_checks"), OVERRIDE_UNKNOWN_RECIPIENTS},
        {S_INIT("no_address_mappings"), OVERRIDE_MAPPINGS},
        {S_INIT("no_header_body_checks"), OVERRIDE_CHECKS},
        {S_INIT("no_milters"), OVERRIDE_MILTERS},
    };
    unsigned found = 0;
    slice word;

    while (cut_word(&list, ", \t\r\n", &word)) {
        size_t i = 0;

        while (i < COUNT_OF(words) && !slice_eq_case(words[i].word, word))
            i++;
        if (i == COUNT_OF(words)) {
            *unknown = word;
            return false;
        }
        found |= words[i].bit;
    }
    *overrides = found;
    return true;
}

int64_t cleanup_overridden(int64_t flags, unsigned overrides)
{
    if (overrides & OVERRIDE_MAPPINGS)
        flags &= ~(CLEANUP_MAP_OK | CLEANUP_BCC_OK);
    if (overrides & OVERRIDE_CHECKS)
        flags &= ~CLEANUP_FILTER;
    if (overrides & OVERRIDE_MILTERS)
        flags &= ~CLEANUP_MILTER;
    return flags;
}

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
