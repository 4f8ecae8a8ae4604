#include "mail/envelope/recipient.h"

#include "core/base/attributes.h"
#include "core/base/cut.h"

static int notify_flag(slice word)
{
    static const struct {
        slice word;
        int flag;
    } words[] = {{S_INIT("never"), NOTIFY_NEVER},
                 {S_INIT("success"), NOTIFY_SUCCESS},
                 {S_INIT("failure"), NOTIFY_FAILURE},
                 {S_INIT("delay"), NOTIFY_DELAY}};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_eq_case(word, words[i].word))
            return words[i].flag;
    return NOTIFY_NONE;
}

int notify_parse(slice list, slice *unknown)
{
    int flags = 0;
    slice word;

    *unknown = S("");
    while (cut_word(&list, ", ", &word)) {
        int flag = notify_flag(word);

        if (flag == NOTIFY_NONE) {
            *unknown = word;
            return NOTIFY_NONE;
        }
        flags |= flag;
    }
    return (flags & NOTIFY_NEVER) != 0 && flags != NOTIFY_NEVER ? NOTIFY_NONE : flags;
}

int ret_parse(slice word)
{
    return slice_eq_case(word, S("full")) ? RET_FULL : slice_eq_case(word, S("hdrs")) ? RET_HEADERS : RET_NONE;
}
