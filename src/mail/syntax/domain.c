#include "mail/syntax/address.h"

bool domain_is_literal(slice domain)
{
    return domain.n >= 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']';
}

bool hostname_valid(slice name)
{
    size_t label = 0;
    bool only_digits = true;
    char before = '.';

    if (name.n == 0 || name.n > 255)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (c == '.') {
            if (before == '.' || before == '-')
                return false;
            label = 0;
        } else {
            /* The underscore is no letter of a host name, but names with one are in use. */
            if (!ascii_is_alnum(c) && c != '_' && (c != '-' || label == 0))
                return false;
            if (++label > 63)
                return false;
            only_digits = only_digits && ascii_is_digit(c);
        }
        before = c;
    }
    return !only_digits && before != '.' && before != '-';
}
