/* master_service_disable. */
#include "core/base/cut.h"
#include "support/master/master.h"

/* PATTERN: "inet", "smtp/inet". */
static bool fits(const struct master_row *row, slice pattern)
{
    slice type = slice_text(master_type_name(row->type)), name = slice_text(row->service);

    if (slice_eq_case(pattern, type))
        return true;
    return pattern.n == name.n + 1 + type.n && slice_eq_case(slice_head(pattern, name.n), name) &&
           pattern.p[name.n] == '/' && slice_eq_case(slice_skip(pattern, name.n + 1), type);
}

bool service_disabled(const struct master_row *row)
{
    slice list = slice_text(master.params->master_service_disable), word;

    while (cut_word(&list, ", \t\r\n", &word)) {
        slice pattern = word;
        bool taken_out = cut_char(&pattern, '!');

        if (fits(row, pattern))
            return !taken_out;
    }
    return false;
}
