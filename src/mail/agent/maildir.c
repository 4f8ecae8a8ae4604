/* A Maildir: a file of its own for each message, which appears when it is complete. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "mail/agent/mailbox_inner.h"

/* With the directories above it. */
static bool make_directory(const char *path)
{
    char part[MAILBOX_PATH_MOST + 8];
    size_t n = strlen(path);

    (void)snprintf(part, sizeof part, "%s", path);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            int why = errno;

            if (access(part, F_OK) != 0) {
                errno = why;
                return false;
            }
        }
        part[i] = path[i];
    }
    return true;
}

static bool make_maildir(const struct mailbox_job *job)
{
    static const char *const parts[] = {"tmp", "new", "cur"};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char path[MAILBOX_PATH_MOST + 8];

        (void)snprintf(path, sizeof path, "%s%s", job->path, parts[i]);
        if (!make_directory(path))
            return false;
    }
    return true;
}

static bool maildir_failed(const struct mailbox_job *job, struct mailbox_result *r, const char *what, const char *file)
{
    int code = errno;

    if (code == EACCES)
        (void)snprintf(r->warning, sizeof r->warning, "maildir access problem for UID/GID=%ld/%ld: %s %s: %s",
                       (long)job->uid, (long)job->gid, what, file, strerror(code));
    return mailbox_give_up(r, mailbox_dsn_of_errno(code), "maildir delivery failed: %s %s: %s", what, file,
                           strerror(code));
}

static int open_temporary(const struct mailbox_job *job, const char *path, struct mailbox_result *r)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == ENOENT && job->make_directories && make_maildir(job))
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        (void)maildir_failed(job, r, "create maildir file", path);
    return fd;
}

static bool publish(const struct mailbox_job *job, const char *temporary, const char *final)
{
    if (fault("maildir.rename"))
        return false;
    return rename(temporary, final) == 0 ||
           (errno == ENOENT && job->make_directories && make_maildir(job) && rename(temporary, final) == 0);
}

bool maildir_write(const struct mailbox_job *job, int content_fd, struct mailbox_result *r)
{
    char temporary[MAILBOX_PATH_MOST + 320], final[MAILBOX_PATH_MOST + 400];
    struct timeval now = us_to_timeval(clock_wall_us());
    AUTO_FD int fd = -1;
    struct doomed doomed CLEANUP(doomed_remove) = {AT_FDCWD, NULL};
    struct stat st;
    struct err err;

    (void)snprintf(temporary, sizeof temporary, "%stmp/%lld.P%d.%s", job->path, (long long)now.tv_sec, (int)getpid(),
                   job->host);
    fd = open_temporary(job, temporary, r);
    if (fd < 0)
        return false;
    doomed.name = temporary;
    if (fstat(fd, &st) != 0)
        return maildir_failed(job, r, "examine maildir file", temporary);
    if (!mailbox_write_all(job, content_fd, fd, true, &err)) {
        r->damaged = err.kind == ERR_CORRUPT;
        return mailbox_give_up(r, mailbox_dsn_of_errno(err.sys), "maildir delivery failed: error writing message: %s",
                               mailbox_reason_of(&err));
    }
    (void)snprintf(final, sizeof final, "%snew/%lld.V%llxI%llxM%lld.%s", job->path, (long long)now.tv_sec,
                   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)now.tv_usec, job->host);
    if (!publish(job, temporary, final))
        return maildir_failed(job, r, "rename maildir file", temporary);
    doomed.name = NULL;
    if (fsync(fd) != 0) /* the new name is now what the file was synced under, too */
        return maildir_failed(job, r, "fsync maildir file", final);
    return true;
}
