/* Any text as a list of restrictions that opens nothing, as an access table may have it: what each element is given lies in the
 * arena, and one that is not known has a word to say. */
#include "core/base/bug.h"
#include "mail/policy/list.h"
#include "mail/policy/policy_inner.h"

enum { MEMORY = 16 << 20, TEXT_MOST = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy without_classes;
    AUTO_ARENA struct arena arena = ARENA_INIT(MEMORY);
    AUTO_BUF struct buf warnings = BUF_INIT(TEXT_MOST);
    struct restriction_list list = {0};
    const struct list_parser parser = {
        .arena = &arena, .policy = &without_classes, .bare_table = "check_client_access", .warnings = &warnings, .parameter = "fuzzed"};
    struct err err;

    if (!restriction_list_parse(&parser, slice_of(data, size), &list, &err)) {
        BUG_IF(err.text[0] == '\0');
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct restriction_use *use = &list.uses[i];

        BUG_IF(use->what == NULL && use->class == NULL && use->problem.n == 0);
        BUG_IF(use->access != NULL || use->server != NULL);
    }
    (void)restriction_list_guards(&list);
    restriction_list_close(&list);
    return 0;
}
