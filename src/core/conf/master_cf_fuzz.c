#include "core/base/bug.h"
#include "core/conf/master_cf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_count(struct buf *out, int count)
{
    if (count < 0)
        buf_add_text(out, " -");
    else
        buf_addf(out, " %d", count);
}

/* Only balanced text can stand in braces; anything else had none around it and has no blanks outside braces. */
static bool is_balanced(const char *text)
{
    int depth = 0;

    for (; *text != '\0' && depth >= 0; text++)
        depth += *text == '{' ? 1 : *text == '}' ? -1 : 0;
    return depth == 0;
}

static void print_row(const struct master_row *r, struct buf *out)
{
    static const char yesno[] = {[MASTER_DEFAULT] = '-', [MASTER_YES] = 'y', [MASTER_NO] = 'n'};

    buf_addf(out, "%s %s %c %c %c", r->service, master_type_name(r->type), yesno[r->is_private], yesno[r->unprivileged],
             yesno[r->chroot]);
    print_count(out, r->wakeup_seconds);
    buf_add_text(out, r->wakeup_if_used ? "?" : "");
    print_count(out, r->process_limit);
    buf_addf(out, " %s", r->command);
    for (int i = 0; i < r->argc; i++)
        buf_addf(out, is_balanced(r->argv[i]) ? " {%s}" : " %s", r->argv[i]);
    buf_add_char(out, '\n');
}

static void print(const struct master_conf *m, struct buf *out)
{
    for (size_t i = 0; i < m->count; i++)
        print_row(&m->rows[i], out);
}

/* Reads a master.cf, prints it, reads and prints that, and compares. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf first = BUF_INIT(1 << 22);
    AUTO_BUF struct buf second = BUF_INIT(1 << 22);
    struct master_conf m, again;
    struct err err;

    if (!master_conf_parse(&m, "master.cf", slice_of(data, size), &err))
        return 0;
    print(&m, &first);
    for (size_t i = 0; i < m.count; i++) {
        slice name, value;
        int at = 0, argument;

        while (master_row_overrides(&m.rows[i], &at, &name, &value, &argument))
            BUG_IF(argument >= m.rows[i].argc);
    }
    BUG_IF(!master_conf_parse(&again, "master.cf", buf_slice(&first), &err));
    print(&again, &second);
    BUG_IF(!slice_eq(buf_slice(&first), buf_slice(&second)));
    master_conf_done(&m);
    master_conf_done(&again);
    return 0;
}
