/* What looking up users and hosts reads: the C library's configuration, its modules and what they read in turn. */
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/sandbox/inner.h"

const struct sandbox_place name_places[] = {
    {"/etc", SANDBOX_READ},
    {"/usr", SANDBOX_READ},
    {"/lib", SANDBOX_READ}, /* links into /usr, or not */
    {"/lib64", SANDBOX_READ},
    {"/run", SANDBOX_READ}, /* where resolv.conf may point to; sockets of nscd, sssd, systemd */
    {"/var/lib/sss", SANDBOX_READ},
    {"/var/lib/extrausers", SANDBOX_READ},
    {"/var/lib/misc", SANDBOX_READ},
    {"/var/db", SANDBOX_READ},
    {"/var/yp", SANDBOX_READ},
    {"/dev/null", SANDBOX_UPDATE},
    {"/dev/urandom", SANDBOX_READ},
    {"/dev/random", SANDBOX_READ},
    {"/proc/sys", SANDBOX_READ},
    {"/sys/devices/system/cpu", SANDBOX_READ},
};
const size_t name_place_count = COUNT_OF(name_places);

/* Sources that read files or ask a daemon of this machine. */
static bool is_local(slice source)
{
    static const char *const local[] = {"files", "systemd",    "sss",      "db",        "winbind",
                                        "cache", "mymachines", "altfiles", "extrausers"};

    for (size_t i = 0; i < COUNT_OF(local); i++)
        if (slice_eq(source, slice_text(local[i])))
            return true;
    return source.n == 0 || source.p[0] == '[';
}

static bool line_asks_outside(slice line)
{
    slice word;

    line = slice_head(line, slice_find(line, '#') == SLICE_NONE ? line.n : slice_find(line, '#'));
    line = slice_trim(line);
    if (!cut_prefix(&line, S("passwd:")) && !cut_prefix(&line, S("group:")))
        return false;
    while (cut_word(&line, " \t", &word))
        if (!is_local(word))
            return true;
    return false;
}

bool names_ask_outside(slice nsswitch)
{
    slice line;

    while (cut_field(&nsswitch, '\n', &line))
        if (line_asks_outside(line))
            return true;
    return false;
}

bool names_need_internet(void)
{
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
    struct err err;

    /* Without the file the C library's own choice is files. */
    return file_read_path("/etc/nsswitch.conf", &text, &err) && names_ask_outside(buf_slice(&text));
}
