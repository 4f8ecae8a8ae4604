#include "commands/postconf/master.h"

#include <stdio.h>
#include <string.h>

#include "core/base/cut.h"
#include "core/conf/master_cf.h"
#include "mail/events/events.h"

static const char *yes_no(enum master_yesno v)
{
    return v == MASTER_DEFAULT ? "-" : v == MASTER_YES ? "y" : "n";
}

static bool wanted(const struct master_row *r, char **patterns)
{
    if (patterns[0] == NULL)
        return true;
    for (char **p = patterns; *p != NULL; p++) {
        slice type = slice_text(*p), service = S("");

        if (!cut_field(&type, '/', &service))
            continue;
        if ((slice_eq(service, S("*")) || slice_eq(service, slice_text(r->service))) &&
            (type.n == 0 || slice_eq(type, S("*")) || slice_eq(type, slice_text(master_type_name(r->type)))))
            return true;
    }
    return false;
}

static void show(const struct master_row *r)
{
    char wakeup[32] = "-", limit[32] = "-";

    if (r->wakeup_seconds > 0)
        (void)snprintf(wakeup, sizeof wakeup, "%d%s", r->wakeup_seconds, r->wakeup_if_used ? "?" : "");
    if (r->process_limit >= 0)
        (void)snprintf(limit, sizeof limit, "%d", r->process_limit);
    (void)printf("%-10s %-4s  %-7s %-7s %-7s %-7s %-7s %s", r->service, master_type_name(r->type), yes_no(r->is_private),
                 yes_no(r->unprivileged), yes_no(r->chroot), wakeup, limit, r->command);
    for (int i = 0; i < r->argc; i++) {
        bool option = strcmp(r->argv[i], "-o") == 0 && i + 1 < r->argc;

        (void)printf(" %s", r->argv[i]);
        if (option)
            (void)printf(strchr(r->argv[i + 1], ' ') != NULL ? " { %s }" : " %s", r->argv[i + 1]), i++;
    }
    (void)printf("\n");
}

void master_show(const char *directory, char **patterns)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct master_conf conf;
    struct err err;

    (void)buf_addf(&path, "%s/master.cf", directory);
    if (!master_conf_read(&conf, buf_text(&path), &err))
        event_fatal("%s", err.text);
    for (size_t i = 0; i < conf.count; i++)
        if (wanted(&conf.rows[i], patterns))
            show(&conf.rows[i]);
    master_conf_done(&conf);
}
