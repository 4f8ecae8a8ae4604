#include "mail/envelope/outcome.h"

#include <stdio.h>

#include "core/base/attributes.h"
#include "core/base/cut.h"

/* RFC 3463 section 2: class is 2, 4 or 5; the others have one to three digits. */
bool cut_dsn_code(slice *s, struct dsn_code *out)
{
    slice rest = *s;
    unsigned class, subject, detail;

    if (!cut_uint(&rest, 1, 1, &class) || (class != 2 && class != 4 && class != 5) || !cut_char(&rest, '.') ||
        !cut_uint(&rest, 1, 3, &subject) || !cut_char(&rest, '.') || !cut_uint(&rest, 1, 3, &detail))
        return false;
    if (rest.n > 0 && !ascii_is_space(rest.p[0]))
        return false;
    *s = rest;
    *out = (struct dsn_code){(int)class, (int)subject, (int)detail};
    return true;
}

bool dsn_code_parse(slice text, struct dsn_code *out)
{
    struct dsn_code code;

    if (!cut_dsn_code(&text, &code) || text.n > 0)
        return false;
    *out = code;
    return true;
}

void dsn_code_print(struct dsn_code code, char to[DSN_CODE_TEXT])
{
    (void)snprintf(to, DSN_CODE_TEXT, "%d.%d.%d", code.class % 10, code.subject % 1000, code.detail % 1000);
}

enum outcome_kind outcome_kind_of(struct dsn_code code)
{
    if (code.class == 2)
        return OUTCOME_DELIVERED;
    return code.class == 5 ? OUTCOME_BOUNCED : OUTCOME_DEFERRED;
}

struct outcome outcome_from_err(const struct err *err)
{
    static const struct dsn_code codes[] = {
        [ERR_SYS] = {4, 3, 0},       [ERR_TIMEOUT] = {4, 4, 2}, [ERR_CANCELLED] = {4, 3, 2}, [ERR_PEER] = {4, 4, 2},
        [ERR_SYNTAX] = {4, 3, 5},    [ERR_LIMIT] = {4, 3, 1},   [ERR_CONFIG] = {4, 3, 5},    [ERR_CORRUPT] = {4, 3, 0},
        [ERR_NOT_FOUND] = {4, 3, 0}, [ERR_REFUSED] = {4, 3, 0}, [ERR_TEMPORARY] = {4, 3, 0},
    };
    struct outcome o = {.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}, .reason = slice_text(err->text)};

    if ((size_t)err->kind < COUNT_OF(codes) && codes[err->kind].class != 0)
        o.dsn = codes[err->kind];
    return o;
}
