/* unix:passwd.byname, unix:group.byname - the system's users and groups as lines of their files.
 *
 * NSS may ask the network, so look-ups go to the helper pool. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "core/base/account.h"
#include "core/base/bug.h"
#include "core/run/pool.h"
#include "mail/table/inner.h"

enum { NSS_SPACE_FIRST = 4096, NSS_SPACE_MOST = 1 << 20 };

struct unix_table {
    bool is_group, without_loop;
};

/* What a helper thread works on; it touches nothing else. */
struct question {
    const char *name;
    bool is_group;
    int failed; /* errno */
    bool found;
    struct buf *value;
};

static void print_passwd(const struct passwd *p, struct buf *to)
{
    buf_addf(to, "%s:%s:%lu:%lu:%s:%s:%s", p->pw_name, p->pw_passwd, (unsigned long)p->pw_uid, (unsigned long)p->pw_gid,
             p->pw_gecos, p->pw_dir, p->pw_shell);
}

static void print_group(const struct group *g, struct buf *to)
{
    buf_addf(to, "%s:%s:%lu:", g->gr_name, g->gr_passwd, (unsigned long)g->gr_gid);
    for (char **member = g->gr_mem; *member != NULL; member++)
        buf_addf(to, "%s%s", member == g->gr_mem ? "" : ",", *member);
}

static int ask(struct question *q, char *space, size_t bytes)
{
    struct passwd passwd, *p = NULL;
    struct group group, *g = NULL;
    int failed;

    if (q->is_group)
        failed = getgrnam_r(q->name, &group, space, bytes, &g);
    else
        failed = getpwnam_r(q->name, &passwd, space, bytes, &p);
    if (p != NULL)
        print_passwd(p, q->value);
    if (g != NULL)
        print_group(g, q->value);
    q->found = p != NULL || g != NULL;
    return failed;
}

static void ask_once(struct question *q)
{
    for (size_t bytes = NSS_SPACE_FIRST; bytes <= NSS_SPACE_MOST; bytes *= 4) {
        char *space = xmalloc(bytes);
        q->failed = ask(q, space, bytes);
        free(space);
        if (q->failed != ERANGE)
            break;
    }
    /* What the field's C libraries say for "no such user". */
    if (q->failed == ENOENT || q->failed == ESRCH || q->failed == EBADF || q->failed == EPERM)
        q->failed = 0;
}

/* The C library says "no such user", too, when it could not read the file this time: a no is asked for twice. */
static void job(void *arg)
{
    struct question *q = arg;

    ask_once(q);
    if (!q->found && q->failed == 0)
        ask_once(q);
    if (!q->found && q->failed == 0)
        q->failed = account_file_trouble(q->is_group ? "/etc/group" : "/etc/passwd");
}

static void *unix_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    struct unix_table t = {.without_loop = (flags & TABLE_NO_LOOP) != 0};

    (void)warnings;
    t.is_group = slice_eq(argument, S("group.byname"));
    if (!t.is_group && !slice_eq(argument, S("passwd.byname"))) {
        err_set(err, ERR_CONFIG, "unknown table: unix:%.*s", S_ARG(argument));
        return NULL;
    }
    struct unix_table *kept = xmalloc(sizeof *kept);
    *kept = t;
    return kept;
}

static enum table_got unix_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    const struct unix_table *t = self;
    char name[256];
    struct question q = {.name = name, .is_group = t->is_group, .value = value};

    (void)by;
    if (key.n == 0 || key.n >= sizeof name || slice_has_nul(key))
        return TABLE_NOT_FOUND;
    memcpy(name, key.p, key.n);
    name[key.n] = '\0';
    if (t->without_loop)
        job(&q);
    else
        pool_run(job, &q);
    if (value->overflow) {
        err_set(err, ERR_LIMIT, "entry of %s is too long", name);
        return TABLE_FAILED;
    }
    if (q.found)
        return TABLE_FOUND;
    if (q.failed == 0)
        return TABLE_NOT_FOUND;
    errno = q.failed;
    err_sys(err, "cannot access UNIX %s database", t->is_group ? "group" : "password");
    return TABLE_FAILED;
}

const struct table_type table_unix = {
    .name = "unix", .open = unix_open, .close = free, .get = unix_get,
};
