#include "commands/postconf/edit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "core/base/file.h"

/* The next physical line with its newline. */
static bool cut_raw_line(slice *rest, slice *line)
{
    size_t n;

    if (rest->n == 0)
        return false;
    n = slice_find(*rest, '\n');
    *line = slice_head(*rest, n == SLICE_NONE ? rest->n : n + 1);
    *rest = slice_skip(*rest, line->n);
    return true;
}

static bool is_comment_or_empty(slice line)
{
    slice text = slice_trim(line);

    return text.n == 0 || text.p[0] == '#';
}

static bool continues(slice line)
{
    return line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t') && !is_comment_or_empty(line);
}

/* Does LINE begin a setting of NAME? */
static bool sets(slice line, slice name)
{
    slice key;

    return !is_comment_or_empty(line) && !continues(line) && cut_until(&line, '=', &key) &&
           slice_eq(slice_trim(key), name);
}

static size_t count_settings(slice text, slice name)
{
    size_t n = 0;
    slice line;

    while (cut_raw_line(&text, &line))
        n += sets(line, name);
    return n;
}

static void copy_line(slice line, struct buf *out)
{
    (void)buf_add(out, line);
    if (line.p[line.n - 1] != '\n')
        (void)buf_add_char(out, '\n');
}

bool main_cf_edit(slice text, slice name, slice value, enum main_cf_change change, struct buf *out)
{
    size_t left = count_settings(text, name);
    bool found = left > 0, inside = false;
    slice line;

    while (cut_raw_line(&text, &line)) {
        bool begins = sets(line, name);

        inside = begins || (inside && (continues(line) || is_comment_or_empty(line)));
        if (!inside || is_comment_or_empty(line)) {
            copy_line(line, out);
        } else if (change == MAIN_CF_COMMENT_OUT) {
            (void)buf_add_char(out, '#');
            copy_line(line, out);
        } else if (begins && --left == 0 && change == MAIN_CF_SET) {
            (void)buf_addf(out, "%.*s = %.*s\n", S_ARG(name), S_ARG(value));
        }
    }
    if (!found && change == MAIN_CF_SET)
        (void)buf_addf(out, "%.*s = %.*s\n", S_ARG(name), S_ARG(value));
    return !out->overflow;
}

bool file_replace(const char *path, slice content, struct err *err)
{
    AUTO_BUF struct buf temporary = BUF_INIT(4096);
    struct doomed doomed CLEANUP(doomed_remove) = {AT_FDCWD, NULL};
    AUTO_FD int fd = -1;
    struct stat st;

    if (stat(path, &st) != 0)
        return err_sys(err, "examine %s", path);
    (void)buf_addf(&temporary, "%s.tmp", path);
    fd = open(buf_text(&temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "create %s", buf_text(&temporary));
    doomed.name = buf_text(&temporary);
    if (!file_write_all(fd, content, err))
        return err_note(err, "%s", buf_text(&temporary));
    if ((geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0) || fchmod(fd, st.st_mode & 07777) != 0 ||
        fsync(fd) != 0)
        return err_sys(err, "complete %s", buf_text(&temporary));
    if (rename(buf_text(&temporary), path) != 0)
        return err_sys(err, "rename %s to %s", buf_text(&temporary), path);
    doomed.name = NULL;
    return true;
}
