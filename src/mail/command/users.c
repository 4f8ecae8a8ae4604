#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/command/command.h"
#include "mail/events/events.h"

enum { ENTRY_MOST = 64 * 1024 };
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

/* ---- who somebody is ---- */

/* By getent(1), which asks all that nsswitch.conf names: a command that is linked with musl sees but /etc/passwd. */
static bool start_getent(const char *uid, int out, pid_t *pid)
{
    const char *const argv[] = {"getent", "passwd", uid, NULL}, *const env[] = {"PATH=/usr/bin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    bool ok = posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0 &&
              posix_spawnattr_setflags(&attributes, POSIX_SPAWN_RESETIDS) == 0 && /* no rights but the caller's */
              posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) == 0 &&
              posix_spawn(pid, "/usr/bin/getent", &actions, &attributes, (char *const *)argv, (char *const *)env) == 0;

    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return ok;
}

/* The name before the first colon goes to NAME. */
static bool ask_getent(unsigned uid, struct buf *name)
{
    AUTO_BUF struct buf line = BUF_INIT(ENTRY_MOST);
    char text[16];
    int pair[2], status = 1;
    struct err err;
    slice rest, found;
    bool read;
    pid_t pid;

    (void)snprintf(text, sizeof text, "%u", uid);
    if (pipe2(pair, O_CLOEXEC) != 0)
        return false;
    read = start_getent(text, pair[1], &pid);
    (void)close(pair[1]);
    if (read) {
        read = file_read_all(pair[0], &line, &err);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    (void)close(pair[0]);
    rest = buf_slice(&line);
    return read && status == 0 && cut_until(&rest, ':', &found) && found.n > 0 && buf_add(name, found);
}

static void add_user_name(unsigned uid, struct buf *name)
{
    const struct passwd *pwd = getpwuid(uid);

    if (pwd != NULL)
        (void)buf_add_text(name, pwd->pw_name);
    else if (!ask_getent(uid, name))
        (void)buf_add_text(name, "unknown");
}

void command_require_user(slice list, const char *what)
{
    AUTO_BUF struct buf name = BUF_INIT(ENTRY_MOST);
    struct err err;

    /* The shipped value, without asking who the user is. */
    if (slice_eq(slice_trim(list), S("static:anyone")))
        return;
    add_user_name(getuid(), &name);
    switch (match_list(list, buf_slice(&name), 0, &err)) {
    case MATCH:
        return;
    case FAILED:
        event_fatal("%s", err.text);
    default:
        event_fatal("User %s(%ld) is not allowed to %s", buf_text(&name), (long)getuid(), what);
    }
}
