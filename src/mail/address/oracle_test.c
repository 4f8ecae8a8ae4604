/* The answers of Debian's trivial-rewrite under several configurations (oracle/NAME/main.cf, answers.txt), asked of us.
 * An answer's line: request, rule or sender, address, then what came back, all separated by tabs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/address/resolve.h"

static void answer_rewrite(struct params *p, slice rule, slice address, struct buf *out)
{
    struct rewrite_rules rules = resolver_rewrite_rules(p, slice_eq(rule, S("local")));
    assert_true(rewrite_external(&rules, address, out));
}

static void answer_resolve(struct resolver *r, slice sender, slice address, struct buf *out)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(1 << 20);
    const char *where;
    struct resolved answer;
    struct err err;

    buf_clear(out);
    if (!resolver_resolve(r, sender, address, &arena, NEVER, &answer, &where, &err))
        buf_addf(out, "(%s: %s) ", where, err.text);
    buf_addf(out, "%.*s\t%.*s\t%.*s\t%lld", S_ARG(answer.transport), S_ARG(answer.nexthop), S_ARG(answer.recipient),
             (long long)answer.flags);
}

static void compare(const char *name)
{
    AUTO_BUF struct buf text = BUF_INIT(10 << 20), got = BUF_INIT(1 << 20);
    char path[200];
    struct err err;
    int wrong = 0, all = 0;

    snprintf(path, sizeof path, "oracle/%s", name);
    struct params *p = params_load(path, NULL, NULL, 0, &err);
    if (p == NULL)
        fail_msg("%s: %s", path, err.text);
    struct resolver *resolve = resolver_new(p, false, NULL, &err), *verify = resolver_new(p, true, NULL, &err);
    if (resolve == NULL || verify == NULL)
        fail_msg("%s: %s", path, err.text);
    snprintf(path, sizeof path, "oracle/%s/answers.txt", name);
    assert_true(file_read_path(path, &text, &err));
    slice rest = buf_slice(&text), line;
    while (cut_until(&rest, '\n', &line)) {
        slice request, first, address, expected = line;
        if (!cut_until(&expected, '\t', &request) || !cut_until(&expected, '\t', &first) ||
            !cut_until(&expected, '\t', &address))
            continue;
        if (slice_eq(request, S("rewrite")))
            answer_rewrite(p, first, address, &got);
        else
            answer_resolve(slice_eq(request, S("verify")) ? verify : resolve, first, address, &got);
        all++;
        if (slice_eq(buf_slice(&got), expected))
            continue;
        if (++wrong <= 40)
            print_message("%s: %.*s\t%.*s\t%.*s\n  expected %.*s\n  got      %s\n", name, S_ARG(request), S_ARG(first),
                          S_ARG(address), S_ARG(expected), buf_text(&got));
    }
    resolver_free(resolve);
    resolver_free(verify);
    params_free(p);
    assert_true(all > 0);
    if (wrong > 0)
        fail_msg("%s: %d of %d differ", name, wrong, all);
}

static void test_configuration(void **state)
{
    compare(*state);
}

int main(void)
{
    static char names[][12] = {"default", "classes", "maps", "sender", "odd", "star"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_configuration, names[0]), cmocka_unit_test_prestate(test_configuration, names[1]),
        cmocka_unit_test_prestate(test_configuration, names[2]), cmocka_unit_test_prestate(test_configuration, names[3]),
        cmocka_unit_test_prestate(test_configuration, names[4]), cmocka_unit_test_prestate(test_configuration, names[5]),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
