/* Any text as the name of a table that lies in its name, and as a line behind postmap: tables are opened and asked, or refused
 * with a word why; a key and its value lie in their line. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "mail/table/table.h"

enum { INPUT_MOST = 2000, TEXT_MOST = 1 << 20 };

static void check_line(slice line)
{
    slice key = {0}, value = {0};

    if (table_line_parse(line, &key, &value) != TABLE_LINE_OK)
        return;
    BUG_IF(key.n == 0 || value.n == 0 || key.p < line.p || key.p + key.n > value.p || value.p + value.n > line.p + line.n);
}

/* Members of a pipemap are named in it, and can be anything: no files, no other programs, no patterns (which have a fuzzer). */
static bool names_others(slice name)
{
    static const slice others[] = {S_INIT("/"), S_INIT("regexp:"), S_INIT("pcre:"), S_INIT("cidr:"), S_INIT("unix:")};

    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (slice_find_slice(name, others[i]) != SLICE_NONE)
            return true;
    return false;
}

static void check_name(const char *type, slice argument)
{
    AUTO_BUF struct buf name = BUF_INIT(TEXT_MOST), value = BUF_INIT(TEXT_MOST);
    struct table *t;
    struct err err;

    (void)buf_addf(&name, "%s:", type);
    (void)buf_add(&name, argument);
    t = table_open(buf_slice(&name), TABLE_NO_LOOP | TABLE_NO_PROXY, &err);
    if (t == NULL) {
        BUG_IF(err.text[0] == '\0');
        return;
    }
    BUG_IF(table_get(t, S("key"), NEVER, &value, &err) == TABLE_FAILED && err.text[0] == '\0');
    table_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"static", "inline", "fail", "pipemap", "unionmap", "randmap"};
    slice in = slice_of(data, size);

    check_line(in);
    if (size < 1 || size > INPUT_MOST || names_others(in))
        return 0;
    check_name(types[(unsigned char)in.p[0] % COUNT_OF(types)], slice_skip(in, 1));
    return 0;
}
