#include "mail/queue/own_disk.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include "core/base/cut.h"
#include "core/base/file.h"

enum { MOUNTS_MOST = 4 << 20, ROOT = 3, POINT = 4 /* fields of a line */ };

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* Before Linux 5.17 a journal that could not be written was no error of syncfs(). */
static bool kernel_tells_errors(void)
{
    struct utsname u;
    int major, minor;

    return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 17));
}

/* FUSE, for one, does nothing in syncfs(). */
static bool is_known_to_flush(const char *folder)
{
    struct statfs fs;

    return statfs(folder, &fs) == 0 &&
           (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC);
}

bool own_disk_is_mounted(slice mounts, slice folder)
{
    bool whole = false;
    slice line;

    while (cut_field(&mounts, '\n', &line)) {
        slice field, root = {0};

        for (int i = 0; i <= POINT && cut_field(&line, ' ', &field); i++) {
            if (i == ROOT)
                root = field;
            else if (i == POINT && slice_eq(field, folder))
                whole = slice_eq(root, S("/"));
        }
    }
    return whole;
}

bool own_disk_flushes(const char *queue_directory)
{
    AUTO_BUF struct buf mounts = BUF_INIT(MOUNTS_MOST);
    char *folder = realpath(queue_directory, NULL);
    struct err err;
    bool yes = folder != NULL && kernel_tells_errors() && is_known_to_flush(folder) &&
               file_read_path("/proc/self/mountinfo", &mounts, &err) &&
               own_disk_is_mounted(buf_slice(&mounts), slice_text(folder));

    free(folder);
    return yes;
}
