/* Programs that behave and such that do not: what is seen of them, and that none outlives its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "mail/agent/command.h"
#include "mail/queue/record.h"

enum { BIG = 3000000 };

/* A queue file's content: LINE, and BIG bytes more when asked for; without its end when CUT. */
static int content(const char *line, bool big, bool cut)
{
    AUTO_BUF struct buf records = BUF_INIT(2 * BIG);
    static char piece[1000];
    int fd = memfd_create("queue-file", MFD_CLOEXEC);
    struct err err;

    memset(piece, 'x', sizeof piece);
    assert_true(record_add(&records, RECORD_TEXT, slice_text(line)));
    for (size_t i = 0; big && i < BIG / sizeof piece; i++)
        assert_true(record_add(&records, RECORD_LONG_TEXT, slice_of(piece, sizeof piece)));
    assert_true(record_add(&records, RECORD_EXTRACTED, S("")));
    if (cut)
        buf_truncate(&records, records.n / 2);
    assert_true(fd >= 0 && file_write_all(fd, buf_slice(&records), &err));
    return fd;
}

static void run(const char *line, int64_t limit_us, int fd, struct command_result *out)
{
    struct command_job *job = calloc(1, sizeof *job);

    assert_non_null(job);
    job->time_limit_us = limit_us;
    (void)snprintf(job->head, sizeof job->head, "Head: er\n");
    assert_true(command_set_line(job, slice_text(line), S("")));
    assert_true(command_add(&job->texts, S("HOME=/nowhere")));
    assert_true(command_add(&job->texts, S("PATH=/usr/bin:/bin")));
    command_run(job, fd, out);
    free(job);
}

static void ends(void **state)
{
    static const struct {
        const char *command;
        enum command_end end;
        int code;
        const char *output;
    } rows[] = {
        {"/bin/true", COMMAND_EXITED, 0, ""},
        {"exit 3", COMMAND_EXITED, 3, ""},
        {"echo out; echo err >&2", COMMAND_EXITED, 0, "out\nerr\n"},
        {"kill -9 $$", COMMAND_SIGNALLED, SIGKILL, ""},
        {"cat", COMMAND_EXITED, 0, "Head: er\nline\n"},
        {"exec <&-; echo gone", COMMAND_EXITED, 0, "gone\n"},
        {"exec >&- 2>&-; cat; exit 4", COMMAND_EXITED, 4, ""},
        {"env | sort | grep -v '^_=\\|^PWD='", COMMAND_EXITED, 0, "HOME=/nowhere\nPATH=/usr/bin:/bin\n"},
        {"umask; ls /proc/self/fd | tr '\\n' ' '", COMMAND_EXITED, 0, "0077\n0 1 2 3 "}, /* 3: the folder itself */
        {"test $(ps -o sid= -p $$) = $$ && echo own session", COMMAND_EXITED, 0, "own session\n"},
        {"yes | head -n 1; trap '' PIPE", COMMAND_EXITED, 0, "y\n"},
        {"/nonexistent/program", COMMAND_EXITED, 75,
         "cannot execute /nonexistent/program: No such file or directory\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FD int fd = content("line", false, false);
        struct command_result r;

        print_message("%s\n", rows[i].command);
        run(rows[i].command, SECONDS(30), fd, &r);
        assert_int_equal(r.end, rows[i].end);
        assert_int_equal(r.code, rows[i].code);
        assert_int_equal(r.output_bytes, strlen(rows[i].output));
        assert_memory_equal(r.output, rows[i].output, r.output_bytes);
        assert_string_equal(r.trouble, "");
    }
}

static void much_input(void **state)
{
    static const struct {
        const char *command, *output;
    } rows[] = {{"wc -c", "3000014\n"}, {"true", ""}, {"head -c 5", "Head:"}, {"sleep 0.1; cat | tail -c 3", "xxx"}};
    AUTO_FD int fd = content("line", true, false);
    struct command_result r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        run(rows[i].command, SECONDS(30), fd, &r);
        assert_int_equal(r.end, COMMAND_EXITED);
        assert_int_equal(r.code, 0);
        assert_int_equal(r.output_bytes, strlen(rows[i].output));
        assert_memory_equal(r.output, rows[i].output, r.output_bytes);
    }
}

/* Writing before reading blocks neither side. */
static void much_output(void **state)
{
    AUTO_FD int fd = content("line", true, false);
    struct command_result r;

    (void)state;
    run("yes | head -c 1000000; cat; exit 1", SECONDS(30), fd, &r);
    assert_int_equal(r.end, COMMAND_EXITED);
    assert_int_equal(r.code, 1);
    assert_int_equal(r.output_bytes, COMMAND_OUTPUT_MOST);
    assert_memory_equal(r.output, "y\ny\ny\n", 6);
}

static bool is_gone(int pid)
{
    const struct timespec pause = {0, 10000000};

    for (int i = 0; i < 1000; i++) {
        char path[40], state = 0;
        FILE *f;

        if (kill(pid, 0) != 0 && errno == ESRCH)
            return true;
        (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (f == NULL || fscanf(f, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z') {
            if (f != NULL)
                (void)fclose(f);
            return true; /* nobody may be there to take its status */
        }
        (void)fclose(f);
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static void time_limit(void **state)
{
    static const struct {
        const char *command;
        enum command_end end;
        bool names_child;
    } rows[] = {
        {"sleep 600", COMMAND_TIMED_OUT, false},
        {"sleep 600 & echo $!; wait", COMMAND_TIMED_OUT, true},
        {"exec >/dev/null 2>&1 </dev/null; exec sleep 600", COMMAND_TIMED_OUT, false},
        {"trap '' TERM HUP INT; cat >/dev/null; sleep 600", COMMAND_TIMED_OUT, false},
        {"sleep 600 & echo $!; exit 0", COMMAND_EXITED, true}, /* it has done its work: what it left is ended */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FD int fd = content("line", false, false);
        struct command_result r;
        int child = 0;

        run(rows[i].command, MILLIS(300), fd, &r);
        assert_int_equal(r.end, rows[i].end);
        assert_int_equal(r.code, 0);
        if (rows[i].names_child) {
            r.output[r.output_bytes] = '\0';
            assert_int_equal(sscanf(r.output, "%d", &child), 1);
            assert_true(is_gone(child));
        }
    }
}

/* A program must not take half a message for the whole. */
static void damaged_content(void **state)
{
    AUTO_FD int fd = content("line", true, true);
    struct command_result r;

    (void)state;
    run("cat >/dev/null; sleep 600", SECONDS(30), fd, &r);
    assert_int_equal(r.end, COMMAND_NOT_BEGUN);
    assert_string_not_equal(r.trouble, "");
    assert_true(r.damaged);
}

static void no_directory(void **state)
{
    struct command_job *job = calloc(1, sizeof *job);
    AUTO_FD int fd = content("line", false, false);
    struct command_result r;

    (void)state;
    assert_non_null(job);
    job->time_limit_us = SECONDS(30);
    (void)snprintf(job->directory, sizeof job->directory, "/nonexistent");
    assert_true(command_set_line(job, S("true"), S("")));
    command_run(job, fd, &r);
    free(job);
    assert_int_equal(r.end, COMMAND_NOT_BEGUN);
    assert_non_null(strstr(r.trouble, "cannot change directory to \"/nonexistent\""));
}

static void lines(void **state)
{
    static const struct {
        const char *command, *shell, *arguments;
    } rows[] = {
        {"/usr/bin/procmail -t -a x", "", "/usr/bin/procmail|/usr/bin/procmail -t -a x "},
        {"  /bin/true  ", "", "/bin/true|/bin/true "},
        {"exec /bin/true", "", "/bin/sh|sh -c exec /bin/true "},
        {"/bin/echo $HOME", "", "/bin/sh|sh -c /bin/echo $HOME "},
        {"/bin/echo a;b", "", "/bin/sh|sh -c /bin/echo a;b "},
        {"/bin/true", "/bin/dash -e -c", "/bin/dash|/bin/dash -e -c /bin/true "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct command_job *job = calloc(1, sizeof *job);
        char got[200];
        size_t n;

        assert_non_null(job);
        assert_true(command_set_line(job, slice_text(rows[i].command), slice_text(rows[i].shell)));
        n = (size_t)snprintf(got, sizeof got, "%s|", job->program);
        for (size_t at = 0; at < job->texts.n; at++)
            got[n++] = job->texts.bytes[at] == '\0' ? ' ' : job->texts.bytes[at];
        got[n] = '\0';
        assert_string_equal(got, rows[i].arguments);
        free(job);
    }
}

static void texts_have_a_limit(void **state)
{
    struct command_texts *t = calloc(1, sizeof *t);
    static char long_text[COMMAND_TEXTS_MOST];

    (void)state;
    assert_non_null(t);
    memset(long_text, 'x', sizeof long_text);
    assert_false(command_add(t, slice_of(long_text, sizeof long_text)));
    assert_false(command_add(t, S("a\0b")));
    assert_true(command_add(t, slice_of(long_text, sizeof long_text - 1)));
    assert_false(command_add(t, S("")));
    assert_int_equal(t->count, 1);
    free(t);
}

static void outcomes(void **state)
{
    static const struct {
        enum command_end end;
        int code;
        const char *output, *dsn, *reason, *diagnostic;
    } rows[] = {
        {COMMAND_EXITED, 0, "noise", "2.0.0", "delivered to command: cmd", ""},
        {COMMAND_EXITED, 67, "", "5.1.1", "user unknown", "user unknown"},
        {COMMAND_EXITED, 75, "a\tb\r\n", "4.3.0", "temporary failure. Command output: a b  ", "a b"},
        {COMMAND_EXITED, 9, "", "5.3.0", "Command died with status 9: \"cmd\"", "unknown mail system error 9"},
        {COMMAND_EXITED, 1, "4.7.1 later\n", "4.7.1", "later ", "later"},
        {COMMAND_EXITED, 75, "5.7.1 never\n", "5.7.1", "never ", "never"},
        {COMMAND_EXITED, 1, "2.1.5 fine\n", "5.0.0", "fine ", "fine"},
        {COMMAND_EXITED, 1, "5.7.1x no code", "5.3.0",
         "Command died with status 1: \"cmd\". Command output: 5.7.1x no code", "5.7.1x no code"},
        {COMMAND_EXITED, 1, "\303\251 \377 \303", "5.3.0",
         "Command died with status 1: \"cmd\". Command output: \303\251 _ _", "\303\251 _ _"},
        {COMMAND_SIGNALLED, 9, "", "4.3.0", "Command died with signal 9: \"cmd\"", "temporary failure"},
        {COMMAND_TIMED_OUT, 0, "slow", "5.3.0", "Command time limit exceeded: \"cmd\". Command output: slow", "slow"},
        {COMMAND_NOT_BEGUN, 0, "", "4.3.0", "temporary failure", "temporary failure"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        struct command_result r = {
            .end = rows[i].end, .code = rows[i].code, .output_bytes = (uint32_t)strlen(rows[i].output)};
        struct outcome o;
        char dsn[DSN_CODE_TEXT];

        memcpy(r.output, rows[i].output, r.output_bytes);
        o = command_outcome(&r, S("cmd"), &arena);
        dsn_code_print(o.dsn, dsn);
        assert_string_equal(dsn, rows[i].dsn);
        assert_true(slice_eq(o.reason, slice_text(rows[i].reason)));
        assert_true(slice_eq(o.diag_text, slice_text(rows[i].diagnostic)));
        assert_int_equal(o.kind, outcome_kind_of(o.dsn));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),       cmocka_unit_test(much_input),         cmocka_unit_test(much_output),
        cmocka_unit_test(time_limit), cmocka_unit_test(damaged_content),    cmocka_unit_test(no_directory),
        cmocka_unit_test(lines),      cmocka_unit_test(texts_have_a_limit), cmocka_unit_test(outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
