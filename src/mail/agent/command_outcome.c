/* From how a program ended to what became of the recipient. */
#include <sysexits.h>

#include "core/base/buf.h"
#include "core/base/cut.h"
#include "mail/agent/command.h"

struct meaning {
    int status;
    struct dsn_code dsn;
    const char *text;
};

static const struct meaning meanings[] = {
    {EX_USAGE, {5, 3, 0}, "command line usage error"},    {EX_DATAERR, {5, 6, 0}, "data format error"},
    {EX_NOINPUT, {5, 3, 0}, "cannot open input"},         {EX_NOUSER, {5, 1, 1}, "user unknown"},
    {EX_NOHOST, {5, 1, 2}, "host name unknown"},          {EX_UNAVAILABLE, {5, 3, 0}, "service unavailable"},
    {EX_SOFTWARE, {5, 3, 0}, "internal software error"},  {EX_OSERR, {4, 3, 0}, "system resource problem"},
    {EX_OSFILE, {5, 3, 0}, "critical OS file missing"},   {EX_CANTCREAT, {5, 2, 0}, "can't create user output file"},
    {EX_IOERR, {5, 3, 0}, "input/output error"},          {EX_TEMPFAIL, {4, 3, 0}, "temporary failure"},
    {EX_PROTOCOL, {5, 5, 0}, "remote error in protocol"}, {EX_NOPERM, {5, 7, 0}, "permission denied"},
    {EX_CONFIG, {5, 3, 5}, "local configuration error"},
};

static const struct meaning *meaning_of(int status)
{
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (meanings[i].status == status)
            return &meanings[i];
    return NULL;
}

/* How long the UTF-8 character at the start of S is; 0: there is none. */
static size_t utf8_length(slice s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

    if (n == 0 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* On one line, and harmless: blanks of any kind are blanks, what cannot be shown is an underscore. */
static slice shown(slice output, struct arena *arena)
{
    AUTO_BUF struct buf text = BUF_INIT(COMMAND_OUTPUT_MOST);

    for (slice rest = output; rest.n > 0;) {
        size_t n = utf8_length(rest);

        if (n > 0)
            (void)buf_add(&text, slice_head(rest, n));
        else
            (void)buf_add_char(&text, ascii_is_space(rest.p[0]) ? ' ' : ascii_is_print(rest.p[0]) ? rest.p[0] : '_');
        rest = slice_skip(rest, n > 0 ? n : 1);
    }
    return arena_keep(arena, buf_slice(&text), S(""));
}

static struct outcome outcome_of(struct dsn_code dsn, slice reason)
{
    return (struct outcome){.kind = outcome_kind_of(dsn), .dsn = dsn, .reason = reason};
}

/* SUMMARY stands in the report's Diagnostic-Code when the program said nothing. */
static struct outcome with_output(struct dsn_code dsn, slice reason, const char *summary, slice output,
                                  struct arena *arena)
{
    struct outcome o = outcome_of(dsn, reason);

    if (output.n > 0)
        o.reason = arena_format(arena, S("command failed"), "%.*s. Command output: %.*s", S_ARG(reason), S_ARG(output));
    o.diag_type = S("x-unix");
    o.diag_text = output.n > 0 ? slice_trim_end(output) : slice_text(summary);
    return o;
}

static struct outcome exited(int status, slice command, slice output, struct arena *arena)
{
    const struct meaning *m = meaning_of(status);
    struct outcome o;
    struct dsn_code dsn;
    slice rest = output, summary;

    if (cut_dsn_code(&rest, &dsn)) {
        if (dsn.class == 2)
            dsn = (struct dsn_code){5, 0, 0}; /* it has failed, whatever it says */
        (void)cut_blanks(&rest);
        o = with_output(dsn, rest, "", rest, arena);
        o.reason = rest;
        return o;
    }
    if (m != NULL)
        return with_output(m->dsn, slice_text(m->text), m->text, output, arena);
    summary = arena_format(arena, S("unknown mail system error"), "unknown mail system error %d", status);
    return with_output(
        (struct dsn_code){5, 3, 0},
        arena_format(arena, S("command failed"), "Command died with status %d: \"%.*s\"", status, S_ARG(command)),
        summary.p, output, arena);
}

struct outcome command_outcome(const struct command_result *r, slice command, struct arena *arena)
{
    size_t n = r->output_bytes < sizeof r->output ? r->output_bytes : sizeof r->output;
    slice output = shown(slice_of(r->output, n), arena);

    switch (r->end) {
    case COMMAND_EXITED:
        if (r->code != 0)
            return exited(r->code, command, output, arena);
        return outcome_of((struct dsn_code){2, 0, 0},
                          arena_format(arena, S("delivered to command"), "delivered to command: %.*s", S_ARG(command)));
    case COMMAND_SIGNALLED:
        return with_output((struct dsn_code){4, 3, 0},
                           arena_format(arena, S("command died with a signal"), "Command died with signal %d: \"%.*s\"",
                                        r->code, S_ARG(command)),
                           "temporary failure", output, arena);
    case COMMAND_TIMED_OUT:
        return with_output((struct dsn_code){5, 3, 0},
                           arena_format(arena, S("command time limit exceeded"),
                                        "Command time limit exceeded: \"%.*s\"", S_ARG(command)),
                           "internal software error", output, arena);
    case COMMAND_NOT_BEGUN:
        break;
    }
    return with_output((struct dsn_code){4, 3, 0}, S("temporary failure"), "temporary failure", output, arena);
}
