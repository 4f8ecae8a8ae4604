/* Any lines as the rules of a regexp, pcre or cidr table, and keys asked of it.  The first byte chooses the type; what follows
 * the first NUL is the key. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/table/table.h"

enum { INPUT_MOST = 2000, TEXT_MOST = 1 << 16, PLUSES_MOST = 8 };

/* Repetitions within each other cost regcomp() whole seconds, doubled by each of them: not what is sought here. */
static bool is_costly(slice rules)
{
    size_t pluses = 0;

    for (size_t i = 0; i < rules.n; i++)
        pluses += rules.p[i] == '+';
    return pluses > PLUSES_MOST || slice_find_any(rules, "{}") != SLICE_NONE;
}

static void add_rules(slice rules, struct buf *name)
{
    slice line;

    (void)buf_add_char(name, '{');
    while (cut_field(&rules, '\n', &line))
        (void)buf_addf(name, "{%.*s}", S_ARG(line));
    (void)buf_add_char(name, '}');
}

/* With a NUL behind the key: ASan's regexec() looks for one, whatever REG_STARTEND says. */
static void ask(struct table *t, slice key)
{
    AUTO_BUF struct buf value = BUF_INIT(TEXT_MOST), copy = BUF_INIT(TEXT_MOST);
    struct err err;
    enum table_got got;

    (void)buf_add(&copy, key);
    got = table_get(t, buf_slice(&copy), NEVER, &value, &err);
    BUG_IF(got == TABLE_FAILED && err.text[0] == '\0');
    BUG_IF(got == TABLE_NOT_FOUND && value.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"regexp:", "pcre:", "cidr:"};
    AUTO_BUF struct buf name = BUF_INIT(TEXT_MOST);
    slice in = slice_of(data, size), rules;
    struct table *t;
    struct err err;

    if (in.n < 2 || in.n > INPUT_MOST)
        return 0;
    (void)buf_add_text(&name, types[(unsigned char)in.p[0] % COUNT_OF(types)]);
    in = slice_skip(in, 1);
    if (!cut_until(&in, '\0', &rules))
        rules = in;
    if (is_costly(rules))
        return 0;
    add_rules(rules, &name);
    t = table_open(buf_slice(&name), TABLE_NO_LOOP | TABLE_NO_PROXY, &err);
    if (t == NULL)
        return 0;
    ask(t, slice_head(in, slice_find(in, '\0')));
    ask(t, S("192.0.2.1"));
    ask(t, S("2001:db8::1"));
    table_close(t);
    return 0;
}
