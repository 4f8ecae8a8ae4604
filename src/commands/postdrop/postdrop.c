/* postdrop(1): puts one message into maildrop/.
 *
 * Order (walkthrough rows A2 to A4): the log is descriptor 3, the file descriptor 4: created, renamed to its id,
 * written, fchmod 0744, fsync, closed; then pickup is woken.  The message is safe once fsync has returned. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands/postdrop/check.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "mail/command/command.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/proto/postdrop.h"
#include "mail/queue/commit.h"
#include "mail/queue/dir.h"
#include "mail/queue/record.h"
#include "mail/service/trigger.h"

enum { READ_BYTES = 16 * 1024, INPUT_MOST = 1 << 20, WRITE_AT = 60 * 1024, EX_TEMPORARY = 75, MOST_PAUSE_S = 10 };

/* Where the unfinished file is, for a signal that ends us: removing it is all a handler may do. */
static char unfinished[QUEUE_PATH_MOST];

static void on_signal(int signo)
{
    if (unfinished[0] != '\0')
        (void)unlink(unfinished);
    (void)signal(signo, SIG_DFL);
    (void)raise(signo);
}

static void watch_signals(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    for (size_t i = 0; i < COUNT_OF(signals); i++)
        if (signal(signals[i], on_signal) == SIG_IGN)
            (void)signal(signals[i], SIG_IGN); /* nohup stays */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

static NORETURN void give_up(void)
{
    if (unfinished[0] != '\0')
        (void)unlink(unfinished);
    exit(EX_TEMPORARY);
}

/* ---- the caller on descriptors 0 and 1 ---- */

static bool say(const struct ipc_shape *shape, const void *message)
{
    AUTO_BUF struct buf out = BUF_INIT(64 * 1024);
    struct err err;

    if (!ipc_encode(IPC_ATTR0, shape, message, &out))
        return false;
    if (file_write_all(1, buf_slice(&out), &err))
        return true;
    if (err.sys != EPIPE)
        event_warning("uid=%ld: answer: %s", (long)getuid(), err.text);
    return false;
}

static void say_status(int64_t status, const char *reason)
{
    (void)say(&postdrop_answer_shape, &(struct postdrop_answer){status, slice_text(reason)});
}

struct input {
    struct buf bytes;
    size_t at; /* what has been cut */
};

/* RECORD_EOF: the caller has gone. */
static enum record_got next_record(struct input *in, int *type, slice *data)
{
    for (;;) {
        slice rest = slice_skip(buf_slice(&in->bytes), in->at);
        enum record_got got = rest.n == 0 ? RECORD_EOF : cut_record(&rest, type, data);
        char *to;
        ssize_t n;

        if (got == RECORD_READ) {
            in->at = in->bytes.n - rest.n;
            return got;
        }
        /* Incomplete as far as it is here: more must come. */
        buf_consume(&in->bytes, in->at);
        in->at = 0;
        to = buf_reserve(&in->bytes, READ_BYTES);
        if (to == NULL)
            return RECORD_BAD;
        n = read(0, to, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return in->bytes.n == 0 && n == 0 ? RECORD_EOF : RECORD_BAD;
        buf_commit(&in->bytes, (size_t)n);
    }
}

/* ---- the file ---- */
struct drop {
    const struct params *params;
    struct queue_new file;
    struct buf out;
    int64_t written_bytes;
    bool too_big;
};

static NORETURN void write_failed(const char *reason)
{
    event_warning("uid=%ld: %s: %s", (long)getuid(), unfinished, reason);
    say_status(CLEANUP_WRITE, reason);
    give_up();
}

static void flush(struct drop *d)
{
    struct err err;

    d->written_bytes += (int64_t)d->out.n;
    if (d->params->message_size_limit > 0 && d->written_bytes > d->params->message_size_limit)
        d->too_big = true;
    if (!d->too_big && !file_write_all(d->file.fd, buf_slice(&d->out), &err))
        write_failed(err.text);
    buf_clear(&d->out);
}

static void keep(struct drop *d, int type, slice data)
{
    if (!record_add(&d->out, type, data))
        write_failed("record too large");
    if (d->out.n >= WRITE_AT)
        flush(d);
}

static NORETURN void refuse(const char *what)
{
    event_error("uid=%ld: %s", (long)getuid(), what);
    give_up();
}

static void take(struct drop *d, struct submission_check *check, int type, slice data)
{
    char text[200];

    switch (submission_check(check, type, data)) {
    case SUBMISSION_KEEP:
        keep(d, type, data);
        break;
    case SUBMISSION_DROP:
        event_warning("uid=%ld: ignoring attribute record: %.*s", (long)getuid(), S_ARG(slice_head(data, 200)));
        break;
    case SUBMISSION_SKIP:
        break;
    case SUBMISSION_BAD_TYPE:
        (void)snprintf(text, sizeof text, "unexpected record type: %d", type);
        refuse(text);
    case SUBMISSION_LINE_BREAK:
        (void)snprintf(text, sizeof text, "null or line break in '%s' record type", record_type_name(type));
        refuse(text);
    }
}

/* Everything up to the E record.  False: the caller went away before that. */
static bool copy(struct drop *d, struct submission_check *check)
{
    struct input in = {.bytes = BUF_INIT(INPUT_MOST + READ_BYTES)};
    enum record_got got;
    slice data;
    int type;

    while (check->in != SUBMISSION_OVER && (got = next_record(&in, &type, &data)) != RECORD_EOF) {
        if (got == RECORD_BAD || data.n > (size_t)d->params->line_length_limit)
            refuse("malformed input");
        take(d, check, type, data);
    }
    buf_done(&in.bytes);
    return check->in == SUBMISSION_OVER;
}

static void create(struct drop *d)
{
    const struct queue_layout layout = {slice_text(d->params->hash_queue_names), d->params->hash_queue_depth};
    unsigned pause_s = 1;
    struct err err;

    while (!queue_create(&layout, S(QUEUE_MAILDROP), d->params->enable_long_queue_ids, MAILDROP_MODE_EMBRYO, &d->file,
                         &err)) {
        event_warning("mail_queue_enter: %s", err.text);
        if (err.sys != EACCES && err.sys != ENOSPC && err.sys != EDQUOT)
            give_up();
        (void)sleep(pause_s); /* somebody is putting rights or space in order */
        pause_s = pause_s * 2 < MOST_PAUSE_S ? pause_s * 2 : MOST_PAUSE_S;
    }
    (void)queue_path(&layout, S(QUEUE_MAILDROP), slice_text(d->file.id), unfinished);
}

static void finish(struct drop *d)
{
    struct err err;

    flush(d);
    if (d->too_big) {
        say_status(CLEANUP_SIZE, "message file too big");
        give_up();
    }
    if (!queue_commit_blocking(d->file.fd, MAILDROP_MODE_READY, &err))
        write_failed(err.text);
    unfinished[0] = '\0'; /* accepted: nobody removes it any more */
    if (close(d->file.fd) != 0)
        event_warning("close: %m");
    if (!trigger_send("public/pickup", S("W"), &err))
        event_warning("%s", err.text);
    say_status(CLEANUP_OK, "");
}

static void drop(struct params *p)
{
    struct drop d = {.params = p, .out = BUF_INIT(INPUT_MOST)};
    struct submission_check check = {0};
    int64_t now = clock_wall_us();
    struct postdrop_hello hello = {S(POSTDROP_PROTOCOL), S("")};

    create(&d);
    hello.queue_id = slice_text(d.file.id);
    if (!say(&postdrop_hello_shape, &hello))
        give_up(); /* the caller would wait for it, and we for the caller */
    (void)record_addf(&d.out, RECORD_TIME, "%lld %lld", (long long)(now / 1000000), (long long)(now % 1000000));
    if (!copy(&d, &check)) {
        (void)unlink(unfinished); /* the caller changed its mind */
        exit(0);
    }
    if (!check.has_sender || !check.has_recipient) {
        event_warning("uid=%ld: no %s specified", (long)getuid(), check.has_sender ? "recipients" : "sender");
        say_status(CLEANUP_BAD, check.has_sender ? "no recipients specified" : "no sender specified");
        give_up();
    }
    finish(&d);
    buf_done(&d.out);
}

static const char help[] =
    "usage: postdrop [-c dir] <records\n"
    "Puts a message that sendmail(1) has prepared into the maildrop queue; not meant for people.\n"
    "postdrop(1) tells more.\n";

int main(int argc, char **argv)
{
    const char *config = NULL;
    struct params *p;
    int c;

    command_help(argc, argv, help);
    (void)umask(022);
    command_begin("postdrop", EX_TEMPORARY, 0);
    while ((c = getopt(argc, argv, "c:rv")) > 0)
        switch (c) {
        case 'c':
            config = optarg;
            break;
        case 'r':
        case 'v':
            break;
        default:
            event_fatal("usage: postdrop [-c config_dir] [-v]");
        }
    p = command_configure(config);
    command_require_user(slice_text(p->authorized_submit_users), "submit mail");
    command_enter_queue(p);
    watch_signals();
    drop(p);
    return 0;
}
