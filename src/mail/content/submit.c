#include "mail/content/submit.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/proto/cleanup.h"
#include "mail/proto/postdrop.h"
#include "mail/queue/id.h"
#include "mail/service/connect.h"
#include "mail/service/service.h"
#include "mail/syntax/date.h"

static bool read_hello(struct submission *s, slice protocol, deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(4096);
    struct cleanup_hello hello;

    switch (ipc_read(s->stream, &cleanup_hello_shape, &arena, by, &hello, err)) {
    case IPC_FAILED:
        return false;
    case IPC_END:
        return err_set(err, ERR_PEER, "%s: premature end-of-input", stream_name(s->stream));
    case IPC_MESSAGE_READ:
        break;
    }
    if (!slice_eq(hello.protocol, protocol))
        return err_set(err, ERR_PEER, "%s: unexpected protocol %.*s", stream_name(s->stream), S_ARG(hello.protocol));
    if (!queue_id_valid(hello.queue_id) || !text_from_slice(hello.queue_id, s->queue_id, sizeof s->queue_id))
        return err_set(err, ERR_PEER, "%s: bad queue id", stream_name(s->stream));
    return true;
}

bool submit_begin(struct submission *s, int64_t flags, deadline by, struct err *err)
{
    const struct cleanup_ask ask = {.flags = flags};

    *s = (struct submission){.stream = service_connect("public", service_params()->cleanup_service_name, NULL, by, err)};
    if (s->stream == NULL)
        return false;
    if (read_hello(s, S(CLEANUP_PROTOCOL), by, err) && ipc_write(s->stream, &cleanup_ask_shape, &ask, by, err))
        return true;
    submit_cancel(s);
    return false;
}

/* Its answers come where its input goes. */
static pid_t start_postdrop(const char *program, int fd)
{
    const char *const argv[] = {program, "-r", NULL};
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    signal_reset_in_child();
    if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(1);
    (void)close_range(3, ~0U, 0);
    (void)execv(program, (char *const *)(uintptr_t)argv);
    _exit(1);
}

bool submit_begin_drop(struct submission *s, const char *program, deadline by, struct err *err)
{
    int pair[2];

    *s = (struct submission){0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_sys(err, "socketpair");
    s->postdrop = start_postdrop(program, pair[1]);
    (void)close(pair[1]);
    s->stream = stream_open(pair[0]);
    stream_set_name(s->stream, program);
    if (s->postdrop > 0 && read_hello(s, S(POSTDROP_PROTOCOL), by, err))
        return true;
    if (s->postdrop < 0) {
        s->postdrop = 0;
        (void)err_sys(err, "fork");
    }
    submit_cancel(s);
    return false;
}

static bool has_word(const char *text, slice wanted)
{
    slice list = slice_text(text), word;

    while (cut_word(&list, ", \t\r\n", &word))
        if (slice_eq_case(word, wanted))
            return true;
    return false;
}

int64_t submit_autodetects_utf8(slice mail_class)
{
    const char *classes = service_params()->smtputf8_autodetect_classes;

    return has_word(classes, mail_class) || has_word(classes, S("all")) ? CLEANUP_AUTOUTF8 : 0;
}

int64_t submit_notice_flags(slice mail_class)
{
    bool filtered = has_word(service_params()->internal_mail_filter_classes, mail_class);

    return CLEANUP_FROM_NOTICE | (filtered ? CLEANUP_FILTER | CLEANUP_MILTER : 0);
}

/* A stream error is cleanup's doing, and its status may still be there to be read.  Our own cancelling is not. */
static bool absorb(struct submission *s, bool written, const struct err *err)
{
    if (written)
        return true;
    if (err->kind == ERR_CANCELLED)
        return false;
    s->broken = true;
    return true;
}

static bool write_head(struct submission *s, int type, size_t n, deadline by, struct err *err)
{
    char head[RECORD_HEAD_MOST];

    return stream_write(s->stream, slice_of(head, record_head(type, n, head)), by, err);
}

bool submit_record(struct submission *s, int type, slice data, deadline by, struct err *err)
{
    if (s->broken)
        return true;
    return absorb(s, write_head(s, type, data.n, by, err) && stream_write(s->stream, data, by, err), err);
}

/* With its LF at LF. */
static bool is_plain_line(const char *line, const char *lf, size_t most)
{
    size_t n = (size_t)(lf - line); /* with its CR */

    return n > 0 && n <= most + 1 && lf[-1] == '\r' && (n == 1 || lf[-2] != '\r') && line[0] != '.';
}

size_t submit_plain_lines(struct submission *s, slice text, size_t most)
{
    const char *line = text.p, *end = text.p + text.n, *lf;
    char *to, *start;
    size_t room;

    if (s->broken || text.n == 0)
        return 0;
    start = to = stream_room(s->stream, text.n, &room);
    while ((lf = memchr(line, '\n', (size_t)(end - line))) != NULL && is_plain_line(line, lf, most)) {
        size_t n = (size_t)(lf - line) - 1;

        if (room - (size_t)(to - start) < RECORD_HEAD_MOST + n)
            break;
        to += record_head(RECORD_TEXT, n, to);
        memcpy(to, line, n);
        to += n;
        line = lf + 1;
    }
    stream_filled(s->stream, (size_t)(to - start));
    return (size_t)(line - text.p);
}

bool submit_attribute(struct submission *s, const char *name, slice value, deadline by, struct err *err)
{
    size_t name_bytes = strlen(name);

    if (s->broken)
        return true;
    return absorb(s,
                  write_head(s, RECORD_ATTRIBUTE, name_bytes + 1 + value.n, by, err) &&
                      stream_write(s->stream, slice_of(name, name_bytes), by, err) && stream_write(s->stream, S("="), by, err) &&
                      stream_write(s->stream, value, by, err),
                  err);
}

static bool record_v(struct submission *s, deadline by, struct err *err, int type, const char *format, va_list args)
{
    char small[512];
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(small, sizeof small, format, again);
    va_end(again);
    if (n >= 0 && (size_t)n < sizeof small)
        return submit_record(s, type, slice_of(small, (size_t)n), by, err);
    if (n >= 0) {
        AUTO_BUF struct buf big = BUF_INIT((size_t)n + 1);
        char *to = buf_reserve(&big, (size_t)n + 1);

        (void)vsnprintf(to, (size_t)n + 1, format, args);
        return submit_record(s, type, slice_of(to, (size_t)n), by, err);
    }
    return err_sys(err, "format a record");
}

bool submit_recordf(struct submission *s, deadline by, struct err *err, int type, const char *format, ...)
{
    va_list args;
    bool good;

    va_start(args, format);
    good = record_v(s, by, err, type, format, args);
    va_end(args);
    return good;
}

bool submit_finish(struct submission *s, struct arena *arena, deadline by, int64_t *status, slice *reason,
                   struct err *err)
{
    struct cleanup_answer answer;
    enum ipc_got got;

    if (!s->broken && !absorb(s, stream_flush(s->stream, by, err), err)) {
        submit_cancel(s);
        return false;
    }
    got = ipc_read(s->stream, &cleanup_answer_shape, arena, by, &answer, err);
    if (got == IPC_END)
        (void)err_set(err, ERR_PEER, "%s: premature end-of-input", stream_name(s->stream));
    submit_cancel(s);
    if (got != IPC_MESSAGE_READ)
        return false;
    *status = answer.status;
    *reason = answer.reason;
    return true;
}

void submit_cancel(struct submission *s)
{
    stream_close(s->stream);
    s->stream = NULL;
    if (s->postdrop == 0)
        return;
    (void)kill(s->postdrop, SIGTERM); /* it may be waiting for room; one that is done has answered */
    while (waitpid(s->postdrop, NULL, 0) < 0 && errno == EINTR)
        continue;
    s->postdrop = 0;
}

bool notice_double_bounce(struct buf *out)
{
    return buf_addf(out, "%s@%s", service_params()->double_bounce_sender, service_params()->myhostname);
}

static bool notice_records(struct submission *s, const struct notice_options *o, deadline by, struct err *err)
{
    const struct params *p = service_params();
    int64_t now = clock_wall_us();
    char date[MAIL_DATE_MOST];

    mail_date_print(now / SECONDS(1), date);
    return submit_recordf(s, by, err, RECORD_TIME, "%lld %lld", (long long)(now / SECONDS(1)), (long long)(now % SECONDS(1))) &&
           submit_recordf(s, by, err, RECORD_ATTRIBUTE, "log_message_origin=local") &&
           submit_recordf(s, by, err, RECORD_ATTRIBUTE, "trace_flags=%d", o->trace_flags) &&
           submit_record(s, RECORD_SENDER, o->sender, by, err) &&
           submit_record(s, RECORD_RECIPIENT, o->recipient, by, err) &&
           submit_record(s, RECORD_CONTENT, S(""), by, err) &&
           submit_textf(s, by, err, "Received: by %s (%s)", p->myhostname, p->mail_name) &&
           submit_textf(s, by, err, "\tid %s; %s", s->queue_id, date) && submit_textf(s, by, err, "Date: %s", date);
}

bool submit_notice(struct submission *s, const struct notice_options *o, deadline by, struct err *err)
{
    if (!submit_begin(s, o->cleanup_flags | (o->smtputf8 ? CLEANUP_SMTPUTF8 : 0), by, err))
        return false;
    if (notice_records(s, o, by, err))
        return true;
    submit_cancel(s);
    return false;
}

bool submit_textf(struct submission *s, deadline by, struct err *err, const char *format, ...)
{
    va_list args;
    bool good;

    va_start(args, format);
    good = record_v(s, by, err, RECORD_TEXT, format, args);
    va_end(args);
    return good;
}

bool submit_notice_end(struct submission *s, deadline by, int64_t *status, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(65536);
    slice reason;

    if (!submit_record(s, RECORD_EXTRACTED, S(""), by, err) || !submit_record(s, RECORD_END, S(""), by, err)) {
        submit_cancel(s);
        return false;
    }
    return submit_finish(s, &arena, by, status, &reason, err);
}
