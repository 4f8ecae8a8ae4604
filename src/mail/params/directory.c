#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/params/params.h"

#ifndef WAYBILL_CONFIG_DIRECTORY
#define WAYBILL_CONFIG_DIRECTORY "/etc/postfix"
#endif

static const char default_main_cf[] = WAYBILL_CONFIG_DIRECTORY "/main.cf";

/* Whoever may write the default main.cf decides in which directories a set-gid command trusts what it reads. */
static bool belongs_to_root_alone(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Is DIRECTORY named by the compiled-in main.cf? */
bool params_directory_is_listed(slice directory)
{
    struct err ignored;
    struct conf conf;
    const char *list;
    slice left, item;
    bool braced, found = false;

    conf_init(&conf);
    if (belongs_to_root_alone(default_main_cf) && conf_read(&conf, default_main_cf, &ignored)) {
        static const char *const names[] = {"alternate_config_directories", "multi_instance_directories"};

        for (size_t i = 0; i < COUNT_OF(names) && !found; i++) {
            list = conf_raw(&conf, slice_text(names[i]));
            left = slice_text(list);
            while (!found && conf_next_item(&left, ", \t\r\n", &item, &braced, &ignored) == CONF_ITEM)
                found = slice_eq(item, directory);
        }
    }
    conf_done(&conf);
    return found;
}

bool params_config_directory(const char *from_option, bool is_setgid, struct buf *out, struct err *err)
{
    const char *chosen = from_option != NULL ? from_option : getenv("MAIL_CONFIG");
    slice directory;

    if (chosen == NULL || chosen[0] == '\0')
        chosen = WAYBILL_CONFIG_DIRECTORY;
    directory = slice_text(chosen);
    while (directory.n > 1 && slice_ends(directory, S("/")))
        directory.n--;
    if (!slice_eq(directory, S(WAYBILL_CONFIG_DIRECTORY)) && is_setgid && getuid() != 0 && !params_directory_is_listed(directory))
        return err_set(err, ERR_CONFIG, "unauthorized configuration directory name: %.*s", S_ARG(directory));
    buf_clear(out);
    return buf_add(out, directory) || err_set(err, ERR_LIMIT, "configuration directory name too long");
}
