/* Landlock by its raw system calls: Debian's headers are older than what kernels can do. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/sandbox/inner.h"

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 }; /* on all machines */
enum { ASK_VERSION = 1, RULE_PATH_BENEATH = 1 };

/* Before version 2 no file could be renamed into another folder. */
enum { VERSION_REFER = 2, VERSION_TRUNCATE = 3, VERSION_TCP = 4, VERSION_IOCTL = 5, VERSION_SCOPE = 6 };

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_CHAR = 1 << 6,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_MAKE_FIFO = 1 << 10,
    FS_MAKE_BLOCK = 1 << 11,
    FS_MAKE_SYM = 1 << 12,
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,

    FS_OF_FIRST_VERSION = FS_REFER - 1,
    FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,

    MAY_READ = FS_READ_FILE | FS_READ_DIR,
    MAY_UPDATE = MAY_READ | FS_WRITE_FILE | FS_TRUNCATE,
    MAY_WRITE = MAY_UPDATE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_REFER,
};
enum { TCP_BIND = 1 << 0, TCP_CONNECT = 1 << 1 };
enum { SCOPE_ABSTRACT_SOCKETS = 1 << 0, SCOPE_SIGNALS = 1 << 1 };

/* What is forbidden unless a rule allows it. */
struct ruleset {
    uint64_t files, tcp, scopes;
};

struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

int landlock_version(void)
{
    long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);

    return version < VERSION_REFER ? 0 : (int)version;
}

static struct ruleset ruleset_for(const struct sandbox *s, int version)
{
    struct ruleset r = {.files = FS_OF_FIRST_VERSION | FS_REFER};

    if (version >= VERSION_TRUNCATE)
        r.files |= FS_TRUNCATE;
    if (version >= VERSION_TCP && (s->may & SANDBOX_INTERNET) == 0)
        r.tcp = TCP_BIND | TCP_CONNECT;
    if (version >= VERSION_IOCTL)
        r.files |= FS_IOCTL_DEV;
    if (version >= VERSION_SCOPE)
        r.scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
    return r;
}

static uint64_t rights_of(enum sandbox_right right)
{
    return right == SANDBOX_READ ? MAY_READ : right == SANDBOX_UPDATE ? MAY_UPDATE : MAY_WRITE;
}

static bool allow(int ruleset, const struct ruleset *r, const struct sandbox_place *place, struct err *err)
{
    AUTO_FD int fd = open(place->path, O_PATH | O_CLOEXEC);
    struct path_rule rule = {.allowed = rights_of(place->right) & r->files, .fd = fd};
    struct stat st;

    if (fd < 0)
        return true; /* nobody could open anything there */
    if (fstat(fd, &st) != 0)
        return err_sys(err, "look at %s", place->path);
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= FS_OF_FILES;
    return syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0 || err_sys(err, "landlock rule for %s", place->path);
}

static bool allow_all(int ruleset, const struct ruleset *r, const struct sandbox_place *places, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!allow(ruleset, r, &places[i], err))
            return false;
    return true;
}

bool landlock_enter(const struct sandbox *s, struct err *err)
{
    int version = landlock_version();
    struct ruleset r = ruleset_for(s, version);
    AUTO_FD int fd = version == 0 ? -1 : (int)syscall(CREATE_RULESET, &r, sizeof r, 0);

    if (version == 0)
        return true;
    if (fd < 0)
        return err_sys(err, "landlock rules");
    if (!allow_all(fd, &r, s->places, s->place_count, err))
        return false;
    if ((s->may & SANDBOX_NAMES) != 0 && !allow_all(fd, &r, name_places, name_place_count, err))
        return false;
    return syscall(RESTRICT_SELF, fd, 0) == 0 || err_sys(err, "landlock");
}
