/* What a process of local(8) is told once, by main.cf. */
#include <pwd.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "deliver/local/local.h"
#include "mail/events/events.h"
#include "mail/service/service.h"

/* A list of words as bits. */
struct word {
    const char *text;
    unsigned bit;
};

static bool bits_of(const char *parameter, const char *value, const struct word *words, size_t count, unsigned *out,
                    struct err *err)
{
    slice rest = slice_text(value), word;
    unsigned bits = 0;

    while (cut_word(&rest, ", \t\r\n", &word)) {
        size_t i = 0;

        while (i < count && !slice_eq_case(word, slice_text(words[i].text)))
            i++;
        if (i == count)
            return err_set(err, ERR_CONFIG, "unknown %s value \"%.*s\" in \"%s\"", parameter, S_ARG(word), value);
        bits |= words[i].bit;
    }
    *out = bits;
    return true;
}

static const struct word contexts[] = {
    {"alias", CONTEXT_ALIAS}, {"forward", CONTEXT_FORWARD}, {"include", CONTEXT_INCLUDE}};

/* The others are for whoever looks up canonical and virtual addresses. */
static const struct word lookups[] = {{"alias", CONTEXT_ALIAS},
                                      {"forward", CONTEXT_FORWARD},
                                      {"include", CONTEXT_INCLUDE},
                                      {"canonical", 0},
                                      {"generic", 0},
                                      {"virtual", 0}};

enum mark { MARK_COMMANDS = 1, MARK_FILES = 2, MARK_FORWARDS = 4 };
static const struct word marks[] = {{"command", MARK_COMMANDS}, {"file", MARK_FILES}, {"forward", MARK_FORWARDS}};

static bool read_words(const struct params *p, struct err *err)
{
    unsigned marked;

    if (!bits_of("allow_mail_to_commands", p->allow_mail_to_commands, contexts, COUNT_OF(contexts),
                 &world.commands_from, err) ||
        !bits_of("allow_mail_to_files", p->allow_mail_to_files, contexts, COUNT_OF(contexts), &world.files_from, err) ||
        !bits_of("propagate_unmatched_extensions", p->propagate_unmatched_extensions, lookups, COUNT_OF(lookups),
                 &world.extensions_through, err) ||
        !bits_of("prepend_delivered_header", p->prepend_delivered_header, marks, COUNT_OF(marks), &marked, err))
        return false;
    world.mark_commands = (marked & MARK_COMMANDS) != 0;
    world.mark_files = (marked & MARK_FILES) != 0;
    world.mark_forwards = (marked & MARK_FORWARDS) != 0;
    return true;
}

/* Whose rights commands and files of nobody in particular have. */
static bool find_nobody(const struct service_run *run, struct err *err)
{
    const struct passwd *entry = run->rootless ? NULL : getpwnam(run->params->default_privs);

    if (run->rootless) {
        world.nobody = (struct user){.name = "", .home = "", .shell = "", .id = {geteuid(), getegid()}};
        return true;
    }
    if (entry == NULL)
        return err_set(err, ERR_CONFIG, "default_privs: unknown user name value: %s", run->params->default_privs);
    if (entry->pw_uid == 0 || entry->pw_gid == 0)
        return err_set(err, ERR_CONFIG, "default_privs: %s: privileged user is not allowed",
                       run->params->default_privs);
    world.nobody = (struct user){.name = xstrndup(entry->pw_name, strlen(entry->pw_name)),
                                 .home = "",
                                 .shell = "",
                                 .id = {entry->pw_uid, entry->pw_gid}};
    return true;
}

static bool open_tables(const char *parameter, const char *list, unsigned flags, struct tables **out, struct err *err)
{
    AUTO_BUF struct buf warning = BUF_INIT(1000);

    *out = tables_open(slice_text(list), flags, &warning, err);
    event_warning_lines(buf_slice(&warning));
    return *out != NULL || err_note(err, "%s", parameter);
}

bool world_open(struct service_run *run, struct err *err)
{
    const struct params *p = run->params;
    enum { SAFE = TABLE_FOLD | TABLE_NO_REGSUB };

    world.params = run->params;
    world.service = run->name;
    world.rootless = run->rootless;
    if (!mailbox_locks_parse(slice_text(p->mailbox_delivery_lock), &world.locks))
        return err_set(err, ERR_CONFIG, "mailbox_delivery_lock: unknown lock in \"%s\"", p->mailbox_delivery_lock);
    if (!read_words(p, err) || !find_nobody(run, err))
        return false;
    world.spawner = spawner_start(run->rootless, err);
    if (world.spawner == NULL ||
        !open_tables("alias_maps", p->alias_maps, SAFE | TABLE_TRY_NUL | TABLE_NO_PROXY, &world.aliases, err) ||
        !open_tables("mailbox_command_maps", p->mailbox_command_maps, SAFE, &world.mailbox_commands, err) ||
        !open_tables("mailbox_transport_maps", p->mailbox_transport_maps, SAFE, &world.mailbox_transports, err) ||
        !open_tables("fallback_transport_maps", p->fallback_transport_maps, SAFE, &world.fallback_transports, err))
        return false;
    world.filter = agent_filter_open("local_delivery_status_filter", p->local_delivery_status_filter, err);
    world.resolver = address_client_new();
    return world.filter != NULL;
}
