#include <pwd.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/command/command.h"

enum answer { NO_MATCH, MATCH, NEGATED, FAILED };

static enum answer match_item(slice item, slice user, int depth, struct err *err);

/* Lines of a file are list items; a leading slash or type inside is one more level. */
static enum answer match_list(slice list, slice user, int depth, struct err *err)
{
    slice item;
    bool braced;

    for (;;) {
        enum answer a;

        switch (conf_next_item(&list, ", \t\r\n", &item, &braced, err)) {
        case CONF_END:
            return NO_MATCH;
        case CONF_FAILED:
            return FAILED;
        case CONF_ITEM:
            break;
        }
        a = match_item(item, user, depth, err);
        if (a != NO_MATCH)
            return a;
    }
}

static enum answer match_file(slice item, slice user, int depth, struct err *err)
{
    AUTO_BUF struct buf content = BUF_INIT(1U << 20);
    char path[1024];

    if (depth > 5 || !text_from_slice(item, path, sizeof path)) {
        (void)err_set(err, ERR_CONFIG, "bad file name in a list of users: %.*s", S_ARG(slice_head(item, 200)));
        return FAILED;
    }
    if (!file_read_path(path, &content, err))
        return FAILED;
    /* Comments fill their lines. */
    for (slice rest = buf_slice(&content), line; cut_field(&rest, '\n', &line);) {
        enum answer a = slice_starts(line, S("#")) ? NO_MATCH : match_list(line, user, depth + 1, err);

        if (a != NO_MATCH)
            return a;
    }
    return NO_MATCH;
}

static enum answer match_item(slice item, slice user, int depth, struct err *err)
{
    bool positive = true;
    enum answer a;

    while (cut_char(&item, '!'))
        positive = !positive;
    if (item.n > 0 && item.p[0] == '/') {
        a = match_file(item, user, depth, err);
    } else if (slice_starts(item, S("static:")) || slice_eq(item, S("*"))) {
        a = MATCH;
    } else if (slice_find(item, ':') != SLICE_NONE) {
        (void)err_set(err, ERR_CONFIG, "a list of users cannot use the table \"%.*s\" here",
                      S_ARG(slice_head(item, 200)));
        return FAILED;
    } else {
        a = slice_eq_case(item, user) ? MATCH : NO_MATCH;
    }
    if (positive || a == FAILED || a == NO_MATCH)
        return a;
    return a == MATCH ? NEGATED : MATCH;
}

bool command_user_allowed(slice list, unsigned uid, bool *allowed, struct err *err)
{
    slice user;

    /* The shipped value, without asking who the user is. */
    if (slice_eq(slice_trim(list), S("static:anyone"))) {
        *allowed = true;
        return true;
    }
    const struct passwd *pwd = getpwuid(uid);
    user = slice_text(pwd != NULL ? pwd->pw_name : "unknown");
    switch (match_list(list, user, 0, err)) {
    case FAILED:
        return false;
    case MATCH:
        *allowed = true;
        return true;
    default:
        *allowed = false;
        return true;
    }
}
