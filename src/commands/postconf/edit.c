#include "commands/postconf/edit.h"

#include <fcntl.h>
#include <sys/file.h>
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

/* Does the name still belong to the file that was locked? */
static bool is_current(const struct file_edit *e)
{
    struct stat ours, named;

    return fstat(e->fd, &ours) == 0 && stat(buf_text(&e->temporary), &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

bool file_edit_begin(struct file_edit *e, const char *path, struct err *err)
{
    *e = (struct file_edit){.path = path, .temporary = BUF_INIT(4096), .fd = -1};
    (void)buf_addf(&e->temporary, "%s.tmp", path);
    do {
        fd_auto_close(&e->fd);
        e->fd = open(buf_text(&e->temporary), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (e->fd < 0)
            return err_sys(err, "create %s", buf_text(&e->temporary));
        if (flock(e->fd, LOCK_EX) != 0) {
            (void)err_sys(err, "lock %s", buf_text(&e->temporary));
            buf_clear(&e->temporary); /* another's */
            return false;
        }
    } while (!is_current(e));
    return true;
}

bool file_edit_replace(struct file_edit *e, slice content, struct err *err)
{
    const char *temporary = buf_text(&e->temporary);
    struct stat st;

    if (stat(e->path, &st) != 0)
        return err_sys(err, "examine %s", e->path);
    if (ftruncate(e->fd, 0) != 0)
        return err_sys(err, "empty %s", temporary);
    if (!file_write_all(e->fd, content, err))
        return err_note(err, "%s", temporary);
    if ((geteuid() == 0 && fchown(e->fd, st.st_uid, st.st_gid) != 0) || fchmod(e->fd, st.st_mode & 07777) != 0 ||
        fsync(e->fd) != 0)
        return err_sys(err, "complete %s", temporary);
    if (rename(temporary, e->path) != 0)
        return err_sys(err, "rename %s to %s", temporary, e->path);
    buf_clear(&e->temporary);
    return true;
}

void file_edit_done(struct file_edit *e)
{
    if (e->fd >= 0 && e->temporary.n > 0)
        (void)unlink(buf_text(&e->temporary));
    fd_auto_close(&e->fd);
    buf_done(&e->temporary);
}
