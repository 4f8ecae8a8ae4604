/* postqueue(1): lists the queue, and has it tried again. */
#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands/postqueue/print.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/io/stream.h"
#include "core/net/endpoint.h"
#include "mail/command/command.h"
#include "mail/events/events.h"
#include "mail/proto/flush.h"
#include "mail/proto/showq.h"
#include "mail/queue/id.h"
#include "mail/service/trigger.h"

enum { VALUE_MOST = 1 << 20, OUT_MOST = 1 << 30, WRITE_AT = 64 * 1024 };
#define ANSWER_US SECONDS(3600)

enum action { NOTHING, LIST, LIST_JSON, FLUSH_ALL, FLUSH_SITE, FLUSH_FILE };

struct asked {
    enum action action;
    const char *argument, *config;
};

static NORETURN void usage(void)
{
    event_fatal("usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site");
}

static void set_action(struct asked *a, enum action action, const char *argument)
{
    if (a->action != NOTHING)
        usage();
    a->action = action;
    a->argument = argument;
}

static struct asked parse_options(int argc, char **argv)
{
    struct asked a = {0};
    int c;

    while ((c = getopt(argc, argv, "c:fi:jps:v")) > 0)
        switch (c) {
        case 'c':
            a.config = optarg;
            break;
        case 'f':
            set_action(&a, FLUSH_ALL, NULL);
            break;
        case 'i':
            set_action(&a, FLUSH_FILE, optarg);
            break;
        case 'j':
            set_action(&a, LIST_JSON, NULL);
            break;
        case 'p':
            set_action(&a, LIST, NULL);
            break;
        case 's':
            set_action(&a, FLUSH_SITE, optarg);
            break;
        case 'v':
            break;
        default:
            usage();
        }
    if (optind < argc || a.action == NOTHING)
        usage();
    return a;
}

/* ---- listing ---- */

static void write_out(struct buf *out, bool all)
{
    struct err err;

    if (!all && out->n < WRITE_AT)
        return;
    if (!file_write_all(1, buf_slice(out), &err))
        event_fatal("output: %s", err.text);
    buf_clear(out);
}

struct reader {
    struct stream *s;
    deadline by;
    struct buf name, value, queue_name, queue_id, address;
    struct err err;
};

static bool read_value(struct reader *r, struct buf *to)
{
    buf_clear(to);
    return stream_read_until_nul(r->s, to, r->by, &r->err);
}

static void keep_value(const struct reader *r, struct buf *to)
{
    buf_clear(to);
    (void)buf_add(to, buf_slice(&r->value));
}

/* The next pair; *MORE is false at the end of the list. */
static bool next_pair(struct reader *r, bool *more)
{
    if (!read_value(r, &r->name))
        return false;
    *more = r->name.n > 0;
    return !*more || read_value(r, &r->value);
}

static bool expect(struct reader *r, const char *name)
{
    bool more;

    if (!next_pair(r, &more))
        return false;
    return (more && slice_eq(buf_slice(&r->name), slice_text(name))) ||
           err_set(&r->err, ERR_PEER, "unexpected attribute %s from showq (expecting: %s)", buf_text(&r->name), name);
}

static bool expect_number(struct reader *r, const char *name, int64_t *out)
{
    return expect(r, name) &&
           (slice_to_i64(buf_slice(&r->value), out) || err_set(&r->err, ERR_PEER, "bad number in %s from showq", name));
}

/* One message after its queue name; true: all of it was read. */
static bool one_message(struct reader *r, struct listing_total *total, bool json, struct buf *out)
{
    struct queued_message m;
    int64_t expire;
    bool more;

    keep_value(r, &r->queue_name);
    if (!expect(r, "queue_id"))
        return false;
    keep_value(r, &r->queue_id);
    if (!expect_number(r, "time", &m.time) || !expect_number(r, "size", &m.size) ||
        !expect_number(r, "forced_expire", &expire) || !expect(r, "sender"))
        return false;
    m.queue_name = buf_slice(&r->queue_name);
    m.queue_id = buf_slice(&r->queue_id);
    m.sender = buf_slice(&r->value);
    m.forced_expire = expire != 0;
    (json ? json_message : print_message)(total, &m, out);
    while (next_pair(r, &more)) {
        if (!more) {
            if (json)
                json_message_end(out);
            return true;
        }
        if (!slice_eq(buf_slice(&r->name), S("recipient")))
            return err_set(&r->err, ERR_PEER, "unexpected attribute %s from showq (expecting: recipient)",
                           buf_text(&r->name));
        keep_value(r, &r->address);
        if (!expect(r, "reason"))
            return false;
        (json ? json_recipient : print_recipient)(total, buf_slice(&r->address), buf_slice(&r->value), out);
        write_out(out, false);
    }
    return false;
}

static bool whole_listing(struct stream *s, const struct params *p, bool json, struct err *err)
{
    struct reader r = {.s = s,
                       .by = deadline_in(ANSWER_US),
                       .name = BUF_INIT(1000),
                       .value = BUF_INIT(VALUE_MOST),
                       .queue_name = BUF_INIT(VALUE_MOST),
                       .queue_id = BUF_INIT(VALUE_MOST),
                       .address = BUF_INIT(VALUE_MOST)};
    struct listing_total total = {.long_ids = p->enable_long_queue_ids, .reason = BUF_INIT(VALUE_MOST)};
    AUTO_BUF struct buf out = BUF_INIT(OUT_MOST);
    bool more = true, ok = true;

    while (ok && (ok = next_pair(&r, &more)) && more) {
        ok = slice_eq(buf_slice(&r.name), S("queue_name"))
                 ? one_message(&r, &total, json, &out)
                 : err_set(&r.err, ERR_PEER, "unexpected attribute %s from showq", buf_text(&r.name));
        write_out(&out, false);
        r.by = deadline_in(ANSWER_US);
    }
    if (ok && !json)
        print_end(&total, &out);
    write_out(&out, true);
    buf_done(&r.name);
    buf_done(&r.value);
    buf_done(&r.queue_name);
    buf_done(&r.queue_id);
    buf_done(&r.address);
    buf_done(&total.reason);
    if (!ok)
        *err = r.err;
    return ok;
}

/* With the mail system down root may look for itself: showq is started on a socket pair as its stdin and stdout. */
static int start_showq(const struct params *p)
{
    AUTO_BUF struct buf program = BUF_INIT(4096);
    int pair[2];

    (void)buf_addf(&program, "%s/showq", p->daemon_directory);
    if (geteuid() != 0 && getuid() != 0 && access("maildrop", R_OK) != 0)
        event_fatal("Queue report unavailable - mail system is down");
    event_warning("Mail system is down -- accessing queue directly");
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        event_fatal("socketpair: %m");
    if (fork() == 0) {
        const char *const argv[] = {"showq", "-u", "-S", NULL};

        (void)dup2(pair[1], 0);
        (void)dup2(pair[1], 1);
        (void)close(pair[0]);
        (void)close(pair[1]);
        signal_reset_in_child();
        (void)execv(buf_text(&program), (char *const *)argv);
        _exit(1);
    }
    (void)close(pair[1]);
    return pair[0];
}

static void list(const struct params *p, bool json)
{
    struct err err;
    int fd = local_connect("public/" SHOWQ_SERVICE, deadline_in(SECONDS(10)), &err);
    AUTO_STREAM struct stream *s = stream_open(fd >= 0 ? fd : start_showq(p));

    if (!ipc_expect_hello(s, SHOWQ_PROTOCOL, deadline_in(ANSWER_US), &err) || !whole_listing(s, p, json, &err))
        event_fatal("queue report: %s", err.text);
}

/* ---- trying again ---- */

static void trigger(const char *path, slice what)
{
    struct err err;

    if (!trigger_send(path, what, &err))
        event_fatal("Cannot flush mail queue - mail system is down");
}

static void flush_all(void)
{
    struct err err;
    int fd = local_connect("public/qmgr", deadline_in(SECONDS(10)), &err);

    /* A FIFO cannot be connected to; then the trigger alone decides. */
    if (fd < 0 && err.sys == ECONNREFUSED)
        event_fatal("Cannot flush mail queue - mail system is down");
    if (fd >= 0)
        fd_close(fd);
    trigger("public/qmgr", S("FADI"));
    trigger("public/pickup", S("W"));
}

static int64_t ask_flush(const struct ipc_shape *shape, const void *question)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct flush_answer answer = {.status = FLUSH_FAIL};
    deadline by = deadline_in(ANSWER_US);
    struct err err;
    int fd = local_connect("public/" FLUSH_SERVICE, deadline_in(SECONDS(10)), &err);
    AUTO_STREAM struct stream *s = fd < 0 ? NULL : stream_open(fd);

    if (s == NULL)
        event_fatal("Cannot flush mail queue - mail system is down");
    if (!ipc_expect_hello(s, FLUSH_PROTOCOL, by, &err) || !ipc_write(s, shape, question, by, &err) ||
        !stream_flush(s, by, &err) || ipc_read(s, &flush_answer_shape, &arena, by, &answer, &err) != IPC_MESSAGE_READ)
        event_fatal("flush service: %s", err.text);
    return answer.status;
}

static void flush_site(const char *site)
{
    struct flush_site question = {S("send_site"), slice_text(site)};

    if (slice_find_any(question.site, " \t\r\n/") != SLICE_NONE || question.site.n == 0)
        event_fatal("Cannot flush mail queue - invalid destination: \"%.100s\"", site);
    switch (ask_flush(&flush_site_shape, &question)) {
    case FLUSH_OK:
        return;
    case FLUSH_BAD:
        event_fatal("Invalid request: \"%s\"", site);
    case FLUSH_DENIED:
        event_fatal("Flush service is not configured for destination \"%s\"", site);
    default:
        event_fatal("Cannot flush mail queue - mail system is down");
    }
}

static void flush_file(const char *id)
{
    struct flush_file question = {S("send_file"), slice_text(id)};

    if (!queue_id_valid(question.queue_id))
        event_fatal("Cannot flush queue ID - invalid name: \"%s\"", id);
    if (ask_flush(&flush_file_shape, &question) == FLUSH_FAIL)
        event_fatal("Cannot flush queue ID - mail system is down");
}

struct job {
    struct asked asked;
    const struct params *params;
};

static void work(void *arg)
{
    const struct job *j = arg;

    switch (j->asked.action) {
    case LIST:
    case LIST_JSON:
        list(j->params, j->asked.action == LIST_JSON);
        break;
    case FLUSH_SITE:
        flush_site(j->asked.argument);
        break;
    case FLUSH_FILE:
        flush_file(j->asked.argument);
        break;
    default:
        flush_all();
    }
}

static void check_user(const struct params *p, const struct asked *a)
{
    bool listing = a->action == LIST || a->action == LIST_JSON;

    if (getuid() == 0)
        return;
    if (listing)
        command_require_user(slice_text(p->authorized_mailq_users), "view the mail queue");
    else
        command_require_user(slice_text(p->authorized_flush_users), "flush the mail queue");
}

static const char help[] = "usage: postqueue [-c dir] -p | -j | -f | -i queueid | -s site\n"
                           "  -p           list the queue\n"
                           "  -j           list it in JSON, a message a line\n"
                           "  -f           try everything again now\n"
                           "  -i queueid   try this message again now\n"
                           "  -s site      try the mail for this site again now (a domain of fast_flush_domains)\n"
                           "  -c dir       main.cf is in dir\n"
                           "postqueue(1) tells more.\n";

int main(int argc, char **argv)
{
    struct job job;
    struct params *p;
    struct err err;

    command_help(argc, argv, help);
    command_begin("postqueue", EX_UNAVAILABLE, 0);
    job.asked = parse_options(argc, argv);
    p = command_configure(job.asked.config);
    job.params = p;
    check_user(p, &job.asked);
    command_enter_queue(p);
    if (!loop_run(work, &job, &err))
        event_fatal("%s", err.text);
    return 0;
}
