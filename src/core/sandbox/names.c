/* What looking up users and hosts reads: the C library's configuration, its modules and what they read in turn. */
#include <dlfcn.h>
#include <stdio.h>

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
    {"/opt", SANDBOX_READ}, /* modules and data of other makers */
    {"/var/opt", SANDBOX_READ},
    {"/var/centrifydc", SANDBOX_READ},
    {"/nix", SANDBOX_READ}, /* where /etc and /usr point to */
    {"/gnu", SANDBOX_READ},
    {"/dev/null", SANDBOX_READ},
    {"/dev/urandom", SANDBOX_READ},
    {"/dev/random", SANDBOX_READ},
    {"/proc/sys", SANDBOX_READ},
    {"/sys/devices/system/cpu", SANDBOX_READ},
};
const size_t name_place_count = COUNT_OF(name_places);

enum { MODULE_MOST = 100 };

static bool is_among(slice word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(word, slice_text(list[i])))
            return true;
    return false;
}

/* False: LINE of nsswitch.conf is not about DATABASE. */
static bool cut_sources(slice line, slice database, slice *sources)
{
    size_t comment = slice_find(line, '#');

    line = slice_trim(slice_head(line, comment == SLICE_NONE ? line.n : comment));
    if (!cut_prefix(&line, database) || !cut_char(&line, ':'))
        return false;
    *sources = line;
    return true;
}

/* Sources that read files or ask a daemon of this machine. */
static bool is_local(slice source)
{
    static const char *const local[] = {"files", "systemd",    "sss",      "db",        "winbind",
                                        "cache", "mymachines", "altfiles", "extrausers"};

    return is_among(source, local, COUNT_OF(local)) || source.n == 0 || source.p[0] == '[';
}

bool names_ask_outside(slice nsswitch)
{
    slice line, sources, word;

    while (cut_field(&nsswitch, '\n', &line)) {
        if (!cut_sources(line, S("passwd"), &sources) && !cut_sources(line, S("group"), &sources))
            continue;
        while (cut_word(&sources, " \t", &word))
            if (!is_local(word))
                return true;
    }
    return false;
}

/* False: there is none (some systems have theirs in /usr/etc), and the C library's own choice is files. */
static bool read_nsswitch(struct buf *text)
{
    struct err err;

    return file_read_path("/etc/nsswitch.conf", text, &err) || file_read_path("/usr/etc/nsswitch.conf", text, &err);
}

bool names_need_internet(void)
{
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);

    return read_nsswitch(&text) && names_ask_outside(buf_slice(&text));
}

/* Those of the C library and of systemd lie in /usr, where they can be found later. */
static void load_module(slice source)
{
    static const char *const found_later[] = {"files",   "dns",     "db",         "compat",
                                              "systemd", "resolve", "myhostname", "mymachines"};
    char name[MODULE_MOST];
    int n;

    if (is_among(source, found_later, COUNT_OF(found_later)) || source.p[0] == '[')
        return;
    n = snprintf(name, sizeof name, "libnss_%.*s.so.2", S_ARG(source));
    if (n > 0 && (size_t)n < sizeof name && slice_find(source, '/') == SLICE_NONE)
        (void)dlopen(name, RTLD_NOW); /* the C library finds by its name what is loaded */
}

void names_load(void)
{
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
    slice rest, line, sources, word;

    if (!read_nsswitch(&text))
        return;
    rest = buf_slice(&text);
    while (cut_field(&rest, '\n', &line)) {
        if (!cut_sources(line, S("passwd"), &sources) && !cut_sources(line, S("group"), &sources) &&
            !cut_sources(line, S("hosts"), &sources))
            continue;
        while (cut_word(&sources, " \t", &word))
            load_module(word);
    }
}
