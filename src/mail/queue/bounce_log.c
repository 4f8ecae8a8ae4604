#include "mail/queue/bounce_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/cut.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "mail/queue/record.h"
#include "mail/syntax/address.h"

static const char *const default_actions[] = {
    [OUTCOME_DELIVERED] = "delivered", [OUTCOME_DEFERRED] = "delayed", [OUTCOME_BOUNCED] = "failed"};

/* ---- printing ---- */

static void add_clean(struct buf *out, slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        /* Bytes above 127 are UTF-8 texts of later releases. */
        (void)buf_add_char(out, c < ' ' || c == 0x7f ? '?' : (char)c);
    }
}

static void add_address(struct buf *out, slice internal)
{
    size_t from = out->n;

    if (internal.n == 0) {
        (void)buf_add(out, S("<>"));
        return;
    }
    (void)address_quote(internal, out);
    for (size_t i = from; i < out->n; i++)
        if ((unsigned char)out->p[i] < ' ' || out->p[i] == 0x7f)
            out->p[i] = '?';
}

static void add_pair(struct buf *out, const char *name, slice value)
{
    (void)buf_addf(out, "%s=", name);
    add_clean(out, value);
    (void)buf_add_char(out, '\n');
}

static void add_address_pair(struct buf *out, const char *name, slice internal)
{
    (void)buf_addf(out, "%s=", name);
    add_address(out, internal);
    (void)buf_add_char(out, '\n');
}

static void add_recipient(struct buf *out, const struct recipient *r)
{
    add_address_pair(out, "recipient", r->address);
    if (r->original.n > 0 && !slice_eq_case(r->original, r->address))
        add_address_pair(out, "original_recipient", r->original);
    if (r->offset > 0)
        (void)buf_addf(out, "offset=%lld\n", (long long)r->offset);
    if (r->dsn_orig_rcpt.n > 0)
        add_pair(out, "dsn_orig_rcpt", r->dsn_orig_rcpt);
    if (r->notify != 0)
        (void)buf_addf(out, "notify_flags=%d\n", r->notify);
}

static void add_outcome(struct buf *out, const struct outcome *o)
{
    char code[DSN_CODE_TEXT];

    dsn_code_print(o->dsn, code);
    if (o->dsn.class != 0)
        (void)buf_addf(out, "status=%s\n", code);
    add_pair(out, "action", o->action.n > 0 ? o->action : slice_text(default_actions[o->kind]));
    if (o->diag_type.n > 0 && o->diag_text.n > 0) {
        add_pair(out, "diag_type", o->diag_type);
        add_pair(out, "diag_text", o->diag_text);
    }
    if (o->mta_type.n > 0 && o->mta_name.n > 0) {
        add_pair(out, "mta_type", o->mta_type);
        add_pair(out, "mta_mname", o->mta_name);
    }
    add_pair(out, "reason", o->reason);
}

bool bounce_entry_print(const struct bounce_entry *e, bool compatible, struct buf *out)
{
    (void)buf_add_char(out, '\n');
    if (compatible) {
        (void)buf_add_char(out, '<');
        if (e->recipient.address.n > 0)
            add_address(out, e->recipient.address);
        (void)buf_add(out, S(">: "));
        add_clean(out, e->outcome.reason);
        (void)buf_add_char(out, '\n');
    }
    add_recipient(out, &e->recipient);
    add_outcome(out, &e->outcome);
    (void)buf_add_char(out, '\n'); /* ends the block: Postfix's readers skip one without it */
    return !out->overflow;
}

/* ---- the file ---- */

static int open_log(const char *path)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, fd = open(path, flags, 0600);

    if (fd < 0 && errno == ENOENT) {
        char folder[QUEUE_PATH_MOST];
        slice p = slice_text(path);

        /* Hash folders are made as they are needed. */
        for (size_t i = 0; i < p.n; i++)
            if (p.p[i] == '/' && text_from_slice(slice_head(p, i), folder, sizeof folder) && mkdir(folder, 0700) != 0 &&
                errno != EEXIST)
                return -1;
        fd = open(path, flags, 0600);
    }
    return fd;
}

bool bounce_log_append(const struct queue_layout *l, slice queue, slice id, const struct bounce_entry *e,
                       bool compatible, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    char path[QUEUE_PATH_MOST];
    struct stat st;

    if (!queue_path(l, queue, id, path))
        return err_set(err, ERR_SYNTAX, "invalid queue id: %.*s", S_ARG(slice_head(id, QUEUE_ID_MOST)));
    if (!bounce_entry_print(e, compatible, &text))
        return err_set(err, ERR_LIMIT, "%s: entry is too long", path);
    AUTO_FD int fd = open_log(path);
    if (fd < 0)
        return err_sys(err, "open file %s", path);
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return err_sys(err, "lock file %s", path);
    if (fstat(fd, &st) != 0)
        return err_sys(err, "fstat %s", path);
    if (!file_write_all(fd, buf_slice(&text), err) || fault("bounce_log.fsync") || fsync(fd) != 0) {
        int code = errno;

        if (ftruncate(fd, st.st_size) != 0)
            code = errno;
        errno = code;
        return err_sys(err, "append file %s", path);
    }
    return true;
}

bool bounce_log_read(const struct queue_layout *l, slice queue, slice id, struct buf *out, struct err *err)
{
    char path[QUEUE_PATH_MOST];

    if (!queue_path(l, queue, id, path))
        return err_set(err, ERR_SYNTAX, "invalid queue id: %.*s", S_ARG(slice_head(id, QUEUE_ID_MOST)));
    return file_read_path(path, out, err);
}

/* ---- parsing ---- */

static bool copy_address(slice external, struct arena *arena, slice *to)
{
    AUTO_BUF struct buf internal = BUF_INIT(1 << 20);

    if (slice_eq(external, S("<>"))) {
        *to = S("");
        return true;
    }
    return address_unquote(external, &internal) && arena_copy(arena, buf_slice(&internal), to);
}

/* "<addr>: reason" of old files; later lines of the block win. */
static bool take_old_line(slice line, struct arena *arena, struct bounce_entry *e)
{
    size_t end = slice_find_slice(line, S(">: "));

    if (end == SLICE_NONE || line.p[0] != '<')
        return true;
    e->outcome.reason = slice_trim(slice_skip(line, end + 3));
    return copy_address(slice_skip(slice_head(line, end), 1), arena, &e->recipient.address);
}

static bool take_pair(slice name, slice value, struct arena *arena, struct bounce_entry *e)
{
    struct outcome *o = &e->outcome;
    const struct {
        slice name;
        slice *to;
    } texts[] = {
        {S("dsn_orig_rcpt"), &e->recipient.dsn_orig_rcpt},
        {S("action"), &o->action},
        {S("diag_type"), &o->diag_type},
        {S("diag_text"), &o->diag_text},
        {S("mta_type"), &o->mta_type},
        {S("mta_mname"), &o->mta_name},
        {S("reason"), &o->reason},
    };
    int notify;

    if (slice_eq(name, S("recipient")))
        return copy_address(value, arena, &e->recipient.address);
    if (slice_eq(name, S("original_recipient")))
        return copy_address(value, arena, &e->recipient.original);
    if (slice_eq(name, S("offset"))) {
        if (!slice_to_i64(value, &e->recipient.offset) || e->recipient.offset <= 0)
            e->recipient.offset = 0;
    } else if (slice_eq(name, S("notify_flags"))) {
        e->recipient.notify = slice_to_int(value, &notify) && notify > 0 ? notify : 0;
    } else if (slice_eq(name, S("status"))) {
        if (!dsn_code_parse(value, &o->dsn))
            return true;
    } else {
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            if (slice_eq(name, texts[i].name))
                *texts[i].to = value;
    }
    return true;
}

static bool cut_line(slice *text, slice *line)
{
    if (text->n == 0)
        return false;
    return cut_field(text, '\n', line);
}

static enum outcome_kind kind_of_action(slice action, bool failed)
{
    if (slice_eq_case(action, S("failed")))
        return OUTCOME_BOUNCED;
    if (slice_eq_case(action, S("delayed")))
        return OUTCOME_DEFERRED;
    if (action.n == 0)
        return failed ? OUTCOME_BOUNCED : OUTCOME_DEFERRED;
    return OUTCOME_DELIVERED;
}

/* False: no more blocks, or ARENA's cap (*FULL). */
static bool next_block(slice *text, bool failed, struct arena *arena, struct bounce_entry *e, bool *full)
{
    bool any = false;
    slice line;

    *e = (struct bounce_entry){.outcome = {.dsn = {failed ? 5 : 4, 0, 0}}};
    while (cut_line(text, &line)) {
        slice name, value;
        bool kept = true;

        line = slice_trim_end(line);
        if (line.n == 0 && any)
            break;
        if (line.n == 0)
            continue;
        any = true;
        if (line.p[0] == '<')
            kept = take_old_line(line, arena, e);
        else if (attribute_parse(line, &name, &value))
            kept = take_pair(name, value, arena, e);
        if (!kept) {
            *full = true;
            return false;
        }
    }
    if (e->outcome.reason.n == 0)
        e->outcome.reason = S("(description unavailable)");
    e->outcome.kind = kind_of_action(e->outcome.action, failed);
    if (e->outcome.action.n == 0)
        e->outcome.action = slice_text(default_actions[e->outcome.kind]);
    return any;
}

bool bounce_log_parse(slice text, bool failed, struct arena *arena, bounce_entry_fn *each, void *context)
{
    struct bounce_entry e;
    bool full = false;

    while (next_block(&text, failed, arena, &e, &full)) {
        /* A block without a recipient says nothing about anybody. */
        if (e.recipient.address.p == NULL)
            continue;
        if (!each(context, &e))
            return false;
    }
    return !full;
}
