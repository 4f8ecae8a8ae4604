/* Whole conversations in a queue directory of their own, and what is left when any step fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "receive/cleanup/message.h"

static char scratch[] = "/tmp/cleanup-test.XXXXXX";

static int enter_scratch(void **state)
{
    static const char *const folders[] = {"incoming", "hold", "defer", "bounce", "trace", "etc"};
    int fd;

    (void)state;
    if (mkdtemp(scratch) == NULL || chdir(scratch) != 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (mkdir(folders[i], 0700) != 0)
            return -1;
    fd = open("etc/main.cf", O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0 || dprintf(fd, "myhostname = mx.example\nmydestination = mx.example\nmessage_size_limit = 3000\n"
                              "virtual_alias_maps = inline:{ {list=a, b, a}, loop=loop2, loop2=loop, {words=a b \"c d\"@x.test e@x.test} }\n") < 0)
        return -1;
    return close(fd);
}

static int leave_scratch(void **state)
{
    char command[100];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return chdir("/") != 0 || system(command);
}

/* ---- one conversation, in a process of its own ---- */

struct talk {
    struct desk desk;
    int fd;
    bool finished;
};

static bool rewrite(void *context, slice rule, slice external, struct arena *arena, deadline by, slice *out, struct err *err)
{
    int *client = context;

    (void)rule, (void)by;
    if (slice_eq(external, S("hangup"))) {
        (void)close(*client);
        *client = -1;
    }
    if (slice_eq(external, S("unanswered")))
        return err_set(err, ERR_TIMEOUT, "no answer");
    *out = external;
    return slice_find(external, '@') != SLICE_NONE || arena_printf(arena, out, "%.*s@mx.example", S_ARG(external));
}

static void talk(void *arg)
{
    struct talk *t = arg;
    AUTO_STREAM struct stream *s = stream_open(t->fd);
    struct err err;
    int64_t status;

    t->finished = session_run(&t->desk, s, &status, &err);
}

/* "T 1 2|S a|..." as records behind the flags. */
static void add_input(slice text, int64_t flags, struct buf *out)
{
    slice line;

    (void)buf_add(out, slice_of("flags", 6));
    (void)buf_addf(out, "%lld", (long long)flags);
    (void)buf_add(out, slice_of("\0\0", 2));
    while (cut_field(&text, '|', &line))
        (void)record_add(out, line.p[0], slice_skip(line, 2));
}

/* Returns the status that was answered; 100 without an answer. */
static int converse_here(const char *input, int64_t flags)
{
    AUTO_BUF struct buf in = BUF_INIT(1U << 20), out = BUF_INIT(1U << 20), warning = BUF_INIT(1U << 16);
    struct talk t = {.finished = false};
    struct params *p;
    struct err err;
    slice answer;
    int pair[2], number;

    p = params_load("etc", NULL, NULL, 0, &err);
    if (p == NULL || !desk_open(&t.desk, p, &warning, &err) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 101;
    }
    t.desk.rewrite = rewrite;
    t.desk.rewrite_context = &pair[1];
    t.fd = pair[0];
    add_input(slice_text(input), flags, &in);
    if (!file_write_all(pair[1], buf_slice(&in), &err) || shutdown(pair[1], SHUT_WR) != 0 || !loop_run(talk, &t, &err))
        return 102;
    if (pair[1] < 0)
        return 100;
    if (!file_read_all(pair[1], &out, &err) && err.sys != ECONNRESET) /* it left without reading all: no answer */
        return 103;
    desk_close(&t.desk);
    params_free(p);
    answer = buf_slice(&out);
    while (answer.n > 0 && !cut_prefix(&answer, slice_of("status", 7)))
        answer = slice_skip(answer, 1);
    answer = slice_head(answer, slice_find(answer, '\0'));
    return slice_to_int(answer, &number) && number < 100 ? number : 100;
}

static int converse(const char *input, int64_t flags, const char *fault)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (getenv("WAYBILL_TEST_LOUD") == NULL && freopen("/dev/null", "w", stderr) == NULL)
            _exit(103);
        if (fault != NULL)
            (void)setenv("WAYBILL_FAULT", fault, 1);
        _exit(converse_here(input, flags));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- what is left ---- */

/* Reads the one file of QUEUE, removes it and returns its mode; 0: none there. */
static mode_t take_file(const char *queue, struct buf *content)
{
    DIR *dir = opendir(queue);
    struct dirent *entry;
    struct stat st = {.st_mode = 0};
    struct err err;
    char path[300];

    assert_non_null(dir);
    buf_clear(content);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(st.st_mode, 0);
        (void)snprintf(path, sizeof path, "%s/%s", queue, entry->d_name);
        assert_int_equal(lstat(path, &st), 0);
        assert_true(file_read_path(path, content, &err));
        assert_int_equal(unlink(path), 0);
    }
    (void)closedir(dir);
    return st.st_mode & 07777;
}

/* The records of CONTENT joined by '|', but for those that differ each time. */
static void describe(slice content, struct buf *out)
{
    slice data;
    int type;

    buf_clear(out);
    while (cut_record(&content, &type, &data) == RECORD_READ) {
        if (type == RECORD_SIZE || slice_starts(data, S("create_time=")) || slice_starts(data, S("Message-Id:")))
            continue;
        (void)buf_addf(out, "%s%c %.*s", out->n > 0 ? "|" : "", type, S_ARG(data));
    }
}

#define HEAD "T 10 5|S alice"
#define BODY "M |N Received: x|N To: a|N Date: x|N From: y|N |N body|X "

static const struct row {
    const char *name, *input;
    int64_t flags;
    int status;
    const char *queue, *records; /* NULL: no file */
} rows[] = {
    {"plain", HEAD "|R bob|" BODY "|E ", 178, 0, "incoming",
     "T 10 5|S alice@mx.example|A dsn_orig_rcpt=rfc822;bob@mx.example|O bob|R bob@mx.example|M |N Received: x|N To: "
     "a@mx.example|N Date: x|N From: y@mx.example|N |N body|X |E "},
    {"remote", HEAD "|A rewrite_context=remote|R bob|" BODY "|E ", 178, 0, "incoming",
     "T 10 5|S alice@mx.example|A rewrite_context=remote|A dsn_orig_rcpt=rfc822;bob@mx.example|O bob|R bob@mx.example|M |N "
     "Received: x|N To: a|N Date: x|N From: y|N |N body|X |E "},
    {"alias", HEAD "|R list|" BODY "|E ", 178, 0, "incoming",
     "T 10 5|S alice@mx.example|A dsn_orig_rcpt=rfc822;list@mx.example|O list|R a@mx.example|A "
     "dsn_orig_rcpt=rfc822;list@mx.example|O list|R b@mx.example|M |N Received: x|N To: a@mx.example|N Date: x|N From: "
     "y@mx.example|N |N body|X |E "},
    {"words and quotes in a value", HEAD "|R words|" BODY "|E ", 178, 0, "incoming",
     "T 10 5|S alice@mx.example|A dsn_orig_rcpt=rfc822;words@mx.example|O words|R a@mx.example|A "
     "dsn_orig_rcpt=rfc822;words@mx.example|O words|R b@mx.example|A dsn_orig_rcpt=rfc822;words@mx.example|O words|R c "
     "d@x.test|A dsn_orig_rcpt=rfc822;words@mx.example|O words|R e@x.test|M |N Received: x|N To: a@mx.example|N Date: x|N "
     "From: y@mx.example|N |N body|X |E "},
    {"hold", HEAD "|f 4|R bob|" BODY "|E ", 128, 0, "hold",
     "T 10 5|S alice@mx.example|A dsn_orig_rcpt=rfc822;bob@mx.example|O bob|R bob@mx.example|M |N Received: x|N To: "
     "a@mx.example|N Date: x|N From: y@mx.example|N |N body|X |E "},
    {"discard", HEAD "|f 8|R bob|" BODY "|E ", 178, 0, NULL, NULL},
    {"endless alias", HEAD "|R loop|" BODY "|E ", 178, 256, NULL, NULL},
    {"no recipients", HEAD "|" BODY "|E ", 178, 64, NULL, NULL},
    {"no sender", "T 10 5|R bob|" BODY "|E ", 178, 1, NULL, NULL},
    {"no time", "S a|R bob|" BODY "|E ", 178, 1, NULL, NULL},
    {"unknown record", HEAD "|Q x|R bob|" BODY "|E ", 178, 1, NULL, NULL},
    {"pointer", HEAD "|p               0|R bob|" BODY "|E ", 178, 1, NULL, NULL},
    {"end in envelope", HEAD "|R bob|E ", 178, 1, NULL, NULL},
    {"end in content", HEAD "|R bob|M |N Received: x|E ", 178, 1, NULL, NULL},
    {"left early", HEAD "|R bob|" BODY, 178, 1, NULL, NULL},
    {"gave up before the answer", HEAD "|R hangup|" BODY "|E ", 178, 100, NULL, NULL},
    {"gave up on a held one", HEAD "|f 4|R hangup|" BODY "|E ", 128, 100, NULL, NULL},
    {"left at once", "", 178, 1, NULL, NULL},
    {"rewriter does not answer", HEAD "|R unanswered|" BODY "|E ", 178, 2, NULL, NULL},
    {"no received", HEAD "|R bob|M |N To: a|N |X |E ", 178, 1, NULL, NULL},
};

static void answers(void **state)
{
    AUTO_BUF struct buf content = BUF_INIT(1U << 20), text = BUF_INIT(1U << 20);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int status = converse(rows[i].input, rows[i].flags, NULL), wanted = rows[i].status < 100 ? rows[i].status : 100;
        mode_t mode;

        if (status != wanted)
            fail_msg("%s: status %d, not %d", rows[i].name, status, wanted);
        mode = take_file(rows[i].queue == NULL ? "incoming" : rows[i].queue, &content);
        if (mode != (rows[i].queue == NULL ? 0 : 0700))
            fail_msg("%s: mode %o", rows[i].name, mode);
        describe(buf_slice(&content), &text);
        if (rows[i].records != NULL && strcmp(buf_text(&text), rows[i].records) != 0)
            fail_msg("%s: %s", rows[i].name, buf_text(&text));
        assert_int_equal(take_file("hold", &content), 0);
    }
}

static void counts_size(void **state)
{
    AUTO_BUF struct buf content = BUF_INIT(1U << 20), long_line = BUF_INIT(5000);
    struct size_record size;
    slice rest, data;
    char big[4000];
    int type;

    (void)state;
    assert_int_equal(converse(HEAD "|A notify_flags=2|R bob|" BODY "|E ", 128, NULL), 0);
    assert_int_equal(take_file("incoming", &content), 0700);
    rest = buf_slice(&content);
    assert_int_equal(cut_record(&rest, &type, &data), RECORD_READ);
    assert_true(size_record_parse(data, &size));
    assert_int_equal(size.recipients, 1);
    assert_int_equal(size.qmgr_flags, 4);
    assert_int_equal(content.p[size.data_offset - 2], 'M');
    assert_int_equal(content.p[size.data_offset + size.message_bytes], 'X');
    assert_int_equal(size.data_offset + size.message_bytes + 4, content.n);

    memset(big, 'x', sizeof big);
    (void)buf_addf(&long_line, HEAD "|R bob|M |N Received: x|N |N %.*s|X |E ", (int)sizeof big, big);
    assert_int_equal(converse(buf_text(&long_line), 128, NULL), CLEANUP_SIZE);
    assert_int_equal(take_file("incoming", &content), 0);
}

/* Every step fails once: accepted means in the queue and complete, refused means nothing there. */
static void fails_cleanly(void **state)
{
    static const char *const points[] = {"queue.create", "queue.rename", "cleanup.write", "cleanup.size", "queue.fchmod",
                                         "queue.fsync"};
    static const int64_t flags[] = {128, 128 | CLEANUP_HOLD};
    AUTO_BUF struct buf content = BUF_INIT(1U << 20);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(points) * COUNT_OF(flags); i++) {
        int64_t with = flags[i % COUNT_OF(flags)];
        const char *queue = (with & CLEANUP_HOLD) != 0 ? "hold" : "incoming";

        for (int n = 1;; n++) {
            char fault[100];
            int status;

            (void)snprintf(fault, sizeof fault, "%s:%d", points[i / COUNT_OF(flags)], n);
            status = converse(HEAD "|R bob|" BODY "|E ", with, fault);
            if (take_file(queue, &content) != (status == 0 ? 0700 : 0))
                fail_msg("%s: status %d and a file", fault, status);
            assert_int_equal(take_file((with & CLEANUP_HOLD) != 0 ? "incoming" : "hold", &content), 0);
            if (status == 0)
                break;
            assert_true(status == CLEANUP_WRITE || status == 100);
            assert_true(n < 5);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(counts_size),
                                       cmocka_unit_test(fails_cleanly)};

    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
