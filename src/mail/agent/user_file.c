#include "mail/agent/user_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "core/base/file.h"

/* Does errno say that there is no such file for this user?  Anything else may be otherwise in a minute. */
static bool says_absent(int code)
{
    return code == ENOENT || code == ENOTDIR || code == EACCES || code == ELOOP || code == ENAMETOOLONG;
}

static enum user_file_got trouble(struct user_file_result *out, enum user_file_got got, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The first trouble is the one that is told. */
static enum user_file_got trouble(struct user_file_result *out, enum user_file_got got, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (out->trouble[0] == '\0')
        (void)vsnprintf(out->trouble, sizeof out->trouble, format, args);
    va_end(args);
    return got;
}

/* Root's own rights are for finding the file: it is read with its owner's. */
static bool become_owner(const struct stat *st)
{
    const struct passwd *owner;
    gid_t group;

    if (geteuid() != 0 || st->st_uid == 0)
        return true;
    owner = getpwuid(st->st_uid);
    group = owner != NULL ? owner->pw_gid : st->st_gid;
    return setgroups(1, &group) == 0 && setresgid(group, group, group) == 0 &&
           setresuid(st->st_uid, st->st_uid, st->st_uid) == 0;
}

/* ---- words that differ ---- */

static enum user_file_got not_regular(const struct user_file_job *job, const char *path, struct user_file_result *out)
{
    return trouble(out, USER_FILE_REFUSED,
                   job->kind == USER_FILE_INCLUDE ? ":include: file %s is not a regular file"
                                                  : "file %s is not a regular file",
                   path);
}

static enum user_file_got cannot_open(const struct user_file_job *job, const char *path, struct user_file_result *out)
{
    return trouble(out, says_absent(errno) ? USER_FILE_REFUSED : USER_FILE_FAILED,
                   job->kind == USER_FILE_INCLUDE ? "cannot open include file %s: %s" : "cannot open file %s: %s", path,
                   strerror(errno));
}

static enum user_file_got cannot_find(const struct user_file_job *job, const char *path, struct user_file_result *out)
{
    bool absent = says_absent(errno);

    if (job->kind == USER_FILE_INCLUDE)
        return trouble(out, absent ? USER_FILE_REFUSED : USER_FILE_FAILED, "unable to lookup :include: file %s: %s",
                       path, strerror(errno));
    return absent ? USER_FILE_ABSENT
                  : trouble(out, USER_FILE_FAILED, "cannot look at file %s: %s", path, strerror(errno));
}

/* ---- one file ---- */

static enum user_file_got check(const struct user_file_job *job, const char *path, const struct stat *st,
                                struct user_file_result *out)
{
    bool include = job->kind == USER_FILE_INCLUDE;

    if (!S_ISREG(st->st_mode))
        return not_regular(job, path, out);
    if (!include && st->st_uid != 0 && st->st_uid != job->owner)
        return trouble(out, USER_FILE_REFUSED, "file %s has bad owner uid %ld", path, (long)st->st_uid);
    if ((st->st_mode & S_IWOTH) != 0)
        return trouble(out, USER_FILE_REFUSED,
                       include ? ":include: file %s is world writable" : "file %s is world writable", path);
    return USER_FILE_FOUND;
}

static enum user_file_got read_open(const struct user_file_job *job, const char *path, int fd, const struct stat *seen,
                                    struct user_file_result *out, struct buf *content)
{
    struct stat st;
    struct err err;

    if (fstat(fd, &st) != 0 || st.st_dev != seen->st_dev || st.st_ino != seen->st_ino || st.st_uid != seen->st_uid ||
        check(job, path, &st, out) != USER_FILE_FOUND)
        return trouble(out, USER_FILE_FAILED, "file %s was changed while it was being opened", path);
    if (fault("user_file.read") ? !err_sys(&err, "read") : !file_read_all(fd, content, &err))
        return trouble(out, USER_FILE_FAILED, "cannot read file %s: %.300s", path, err.text);
    out->owner = st.st_uid;
    return USER_FILE_FOUND;
}

static enum user_file_got read_one(const struct user_file_job *job, const char *path, struct user_file_result *out,
                                   struct buf *content)
{
    bool link_ok = job->kind == USER_FILE_INCLUDE;
    enum user_file_got got;
    struct stat st;

    if ((link_ok ? stat(path, &st) : lstat(path, &st)) != 0)
        return cannot_find(job, path, out);
    got = check(job, path, &st, out);
    if (got != USER_FILE_FOUND)
        return got;
    AUTO_FD int fd =
        become_owner(&st) ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (link_ok ? 0 : O_NOFOLLOW)) : -1;
    return fd < 0 ? cannot_open(job, path, out) : read_open(job, path, fd, &st, out, content);
}

static bool home_is_there(const char *home, struct user_file_result *out)
{
    struct stat st;

    if (home[0] == '\0' || stat(home, &st) == 0)
        return true;
    out->got = trouble(out, USER_FILE_NO_HOME, "cannot access home directory %s: %s", home, strerror(errno));
    return false;
}

void user_file_read(const struct user_file_job *job, struct user_file_result *out, struct buf *content)
{
    *out = (struct user_file_result){.got = USER_FILE_ABSENT};
    if (!home_is_there(job->home, out))
        return;
    for (uint32_t i = 0; i < job->path_count && i < USER_FILE_PATHS; i++) {
        out->index = i;
        out->got = read_one(job, job->paths[i], out, content);
        if (out->got == USER_FILE_FOUND || out->got == USER_FILE_FAILED || job->kind == USER_FILE_INCLUDE)
            break;
    }
    if (job->kind == USER_FILE_FORWARD && out->got == USER_FILE_REFUSED)
        out->got = USER_FILE_ABSENT;
    out->content_bytes = out->got == USER_FILE_FOUND ? (uint32_t)content->n : 0;
}
