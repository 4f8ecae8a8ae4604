#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/waybill/init.h"
#include "core/base/buf.h"

const struct init_folder init_folders[] = {
    {"etc", 0755, 0755, false, "configuration"},
    {"spool", 0755, 0755, false, "the queue"},
    {"data", 0700, 0700, true, "what daemons remember"},
    {"log", 0755, 0755, false, "mail.log"},
    {"mail", 0755, 0755, true, "mailboxes"},
    {"local", 01777, 0700, false, "mailboxes of this machine's users"},
};
const size_t init_folder_count = COUNT_OF(init_folders);

mode_t init_folder_mode(const struct instance *in, const struct init_folder *f)
{
    return in->rootless ? f->rootless_mode : f->mode;
}

static bool make_folder(const struct instance *in, const char *name, mode_t mode, bool owned, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(1000);

    (void)buf_addf(&path, "%s/%s", in->directory, name);
    if (mkdir(buf_text(&path), mode) != 0 && errno != EEXIST)
        return err_sys(err, "create %s", buf_text(&path));
    if (chmod(buf_text(&path), mode) != 0)
        return err_sys(err, "change the mode of %s", buf_text(&path));
    if (owned && !in->rootless && chown(buf_text(&path), in->uid, in->gid) != 0)
        return err_sys(err, "change the owner of %s", buf_text(&path));
    return true;
}

bool init_make_folders(const struct instance *in, struct err *err)
{
    if (mkdir(in->directory, 0755) != 0) {
        if (errno != EEXIST)
            return err_sys(err, "create %s", in->directory);
        if (rmdir(in->directory) != 0)
            return err_set(err, ERR_CONFIG, "%s exists and is not empty", in->directory);
        if (mkdir(in->directory, 0755) != 0)
            return err_sys(err, "create %s", in->directory);
    }
    for (size_t i = 0; i < init_folder_count; i++)
        if (!make_folder(in, init_folders[i].name, init_folder_mode(in, &init_folders[i]), init_folders[i].owned, err))
            return false;
    return true;
}
