#include "mail/service/trigger.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/run/task.h"

enum { LETTERS_MOST = 32 };
/* The woken service closes when it has read; if it never does, this long. */
#define TRIGGER_US SECONDS(10)

struct target {
    struct target *next;
    int fd;                          /* the connection that was made last, or -1 */
    bool busy;                       /* a task waits for its end and sends what there is then */
    char letters[LETTERS_MOST + 1];  /* to be sent, each once */
    char path[];
};

/* Who wakes whom belongs to the process. */
static struct {
    struct target *targets;
    struct task_group group;
    bool has_group;
} process;

static struct target *find_target(const char *path)
{
    size_t n = strlen(path);

    for (struct target *t = process.targets; t != NULL; t = t->next)
        if (strcmp(t->path, path) == 0)
            return t;
    struct target *fresh = xcalloc(1, sizeof *fresh + n + 1);
    memcpy(fresh->path, path, n);
    fresh->fd = -1;
    fresh->next = process.targets;
    process.targets = fresh;
    return fresh;
}

static void remember(struct target *t, slice bytes)
{
    size_t n = strlen(t->letters);

    for (size_t i = 0; i < bytes.n && n < LETTERS_MOST; i++)
        if (bytes.p[i] != '\0' && strchr(t->letters, bytes.p[i]) == NULL)
            t->letters[n++] = bytes.p[i];
}

/* The service closes when it has noted what it was told.  What it had to say itself does not matter. */
static bool is_closed(int fd)
{
    char unused[16];
    ssize_t n;

    do
        n = read(fd, unused, sizeof unused);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n == 0 || errno != EAGAIN;
}

static void send_letters(struct target *t)
{
    char letters[LETTERS_MOST + 1];
    struct err err;

    fd_close(t->fd);
    memcpy(letters, t->letters, sizeof letters);
    memset(t->letters, 0, sizeof t->letters);
    t->fd = trigger_begin(t->path, slice_text(letters), &err);
}

static void send_after(void *arg)
{
    struct target *t = arg;
    deadline by = deadline_in(TRIGGER_US);
    struct err err;

    while (t->fd >= 0 && !is_closed(t->fd) && task_wait_fd(t->fd, FD_READ, by, &err))
        ;
    t->busy = false;
    send_letters(t);
}

void trigger_later(const char *path, slice bytes)
{
    struct target *t = find_target(path);
    struct err err;

    remember(t, bytes);
    if (t->busy)
        return;
    if (!process.has_group) {
        group_init(&process.group);
        process.has_group = true;
    }
    t->busy = group_spawn(&process.group, "trigger", send_after, t, &err);
    if (!t->busy)
        send_letters(t);
}
