#include "commands/sendmail/pipeline.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/queue/record.h"

enum { OUT_MOST = 1 << 20, WRITE_AT = 60 * 1024, ANSWER_MOST = 4096 };

NORETURN void pipeline_failed(const struct pipeline *d, const char *what)
{
    event_fatal("%s(%ld): %s", d->sender, (long)getuid(),
                d->id[0] != '\0' ? what : "unable to execute or to hear postdrop");
}

/* Not by fork(): copying an address space that exec throws away at once would cost as much as all else here. */
static void spawn(struct pipeline *d, const char *program, int its_end)
{
    const char *const arguments[] = {program, "-r", NULL};
    posix_spawn_file_actions_t actions;
    int code;

    if ((code = posix_spawn_file_actions_init(&actions)) != 0 ||
        (code = posix_spawn_file_actions_adddup2(&actions, its_end, STDIN_FILENO)) != 0 ||
        (code = posix_spawn_file_actions_adddup2(&actions, its_end, STDOUT_FILENO)) != 0 ||
        (code = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)) != 0 ||
        (code = posix_spawn(&d->pid, program, &actions, NULL, (char *const *)arguments, environ)) != 0)
        event_fatal("execute %s: %s", program, strerror(code));
    (void)posix_spawn_file_actions_destroy(&actions);
}

static void flush(struct pipeline *d)
{
    struct err err;

    if (!file_write_all(d->fd, buf_slice(&d->out), &err))
        pipeline_failed(d, "mail system refused the message while it was being sent");
    buf_clear(&d->out);
}

void pipeline_put(struct pipeline *d, int type, slice data)
{
    if (!record_add(&d->out, type, data))
        pipeline_failed(d, "record too large");
    if (d->out.n >= WRITE_AT)
        flush(d);
}

void pipeline_putf(struct pipeline *d, int type, const char *format, ...)
{
    char text[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        event_fatal("argument too long");
    pipeline_put(d, type, slice_of(text, (size_t)n));
}

/* Where in D->IN a list "name NUL value NUL ... NUL" ends that begins at its front; 0: more must be read. */
static size_t list_end(const struct pipeline *d)
{
    slice rest = buf_slice(&d->in), field;

    for (bool is_name = true; cut_until(&rest, '\0', &field); is_name = !is_name)
        if (is_name && field.n == 0)
            return d->in.n - rest.n;
    return 0;
}

/* One attribute list.  The value of WANTED goes to TO. */
static bool read_list(struct pipeline *d, slice wanted, struct buf *to)
{
    slice list, name, value;
    size_t end;

    while ((end = list_end(d)) == 0) {
        char *at = buf_reserve(&d->in, ANSWER_MOST - d->in.n);
        ssize_t n = at == NULL ? 0 : read(d->fd, at, ANSWER_MOST - d->in.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        buf_commit(&d->in, (size_t)n);
    }
    list = slice_head(buf_slice(&d->in), end - 1);
    while (cut_until(&list, '\0', &name) && cut_until(&list, '\0', &value))
        if (slice_eq(name, wanted))
            (void)buf_add(to, value);
    buf_consume(&d->in, end);
    return true;
}

void pipeline_open(struct pipeline *d, const struct params *p, const char *sender)
{
    AUTO_BUF struct buf program = BUF_INIT(4096), id = BUF_INIT(sizeof d->id - 1);
    int pair[2];

    *d = (struct pipeline){.sender = sender, .out = BUF_INIT(OUT_MOST), .in = BUF_INIT(ANSWER_MOST)};
    (void)buf_addf(&program, "%s/postdrop", p->command_directory);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        event_fatal("socketpair: %m");
    spawn(d, buf_text(&program), pair[1]);
    (void)close(pair[1]);
    d->fd = pair[0];
    if (!read_list(d, S("queue_id"), &id))
        pipeline_failed(d, "");
    (void)snprintf(d->id, sizeof d->id, "%s", buf_text(&id));
}

void pipeline_close(struct pipeline *d)
{
    AUTO_BUF struct buf status = BUF_INIT(ANSWER_MOST);
    int64_t said = CLEANUP_WRITE;
    int ended;

    flush(d);
    if (!read_list(d, S("status"), &status))
        pipeline_failed(d, "queue file write error");
    while (waitpid(d->pid, &ended, 0) < 0 && errno == EINTR)
        continue;
    if (!slice_to_i64(buf_slice(&status), &said) || said != 0)
        pipeline_failed(d, said == CLEANUP_SIZE ? "message file too big" : "queue file write error");
    buf_done(&d->out);
    buf_done(&d->in);
    (void)close(d->fd);
}
