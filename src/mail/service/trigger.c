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
    bool busy;                       /* a connection is open */
    char letters[LETTERS_MOST + 1];  /* to be sent after it, each once */
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

static void send_all(void *arg)
{
    struct target *t = arg;
    struct err err;

    while (t->letters[0] != '\0') {
        char letters[LETTERS_MOST + 1], unused[16];

        memcpy(letters, t->letters, sizeof letters);
        memset(t->letters, 0, sizeof t->letters);
        int fd = trigger_begin(t->path, slice_text(letters), &err);
        if (fd < 0)
            continue;
        deadline by = deadline_in(TRIGGER_US);
        while (read(fd, unused, sizeof unused) < 0 && errno == EAGAIN && task_wait_fd(fd, FD_READ, by, &err))
            ;
        fd_close(fd);
    }
    t->busy = false;
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
    t->busy = true;
    if (group_spawn(&process.group, "trigger", send_all, t, &err))
        return;
    t->busy = false;
    memset(t->letters, 0, sizeof t->letters);
    (void)!trigger_send(path, bytes, &err);
}
