/* What a program is started with: its arguments and its environment. */
#include <stdlib.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/conf/main_cf.h"
#include "mail/agent/command.h"

static const char system_path[] = "PATH=/usr/bin:/bin";

bool command_add(struct command_texts *t, slice text)
{
    if (text.n >= sizeof t->bytes - t->n || slice_has_nul(text))
        return false;
    if (text.n > 0)
        memcpy(t->bytes + t->n, text.p, text.n);
    t->bytes[t->n + text.n] = '\0';
    t->n += (uint32_t)text.n + 1;
    t->count++;
    return true;
}

static bool export_one(struct command_texts *t, slice item)
{
    AUTO_BUF struct buf pair = BUF_INIT(COMMAND_TEXTS_MOST);
    char name[256];
    const char *value;
    size_t at = slice_find(item, '=');

    if (at != SLICE_NONE) {
        (void)buf_addf(&pair, "%.*s=%.*s", S_ARG(slice_trim(slice_head(item, at))),
                       S_ARG(slice_trim(slice_skip(item, at + 1))));
        return command_add(t, buf_slice(&pair));
    }
    if (item.n >= sizeof name || slice_has_nul(item))
        return true;
    memcpy(name, item.p, item.n);
    name[item.n] = '\0';
    value = getenv(name);
    if (value == NULL)
        return true;
    (void)buf_addf(&pair, "%s=%s", name, value);
    return command_add(t, buf_slice(&pair));
}

bool command_export_environment(struct command_texts *t, slice list)
{
    struct err err;
    slice item;
    bool braced;

    while (conf_next_item(&list, ", \t\r\n", &item, &braced, &err) == CONF_ITEM)
        if (!slice_starts(item, S("PATH=")) && !slice_eq(item, S("PATH")) && !export_one(t, item))
            return false;
    return command_add(t, slice_of(system_path, sizeof system_path - 1));
}

/* Nothing in it means anything to a shell. */
static bool is_plain(slice command)
{
    static const char harmless[] = "_-+./:@,% \t";

    for (size_t i = 0; i < command.n; i++)
        if (!ascii_is_alnum(command.p[i]) && memchr(harmless, command.p[i], sizeof harmless - 1) == NULL)
            return false;
    return command.n > 0 && command.p[0] == '/';
}

static bool add_words(struct command_texts *t, slice words)
{
    slice word;

    while (cut_word(&words, " \t\r\n", &word))
        if (!command_add(t, word))
            return false;
    return true;
}

bool command_set_line(struct command_job *job, slice command, slice shell)
{
    struct command_texts *t = &job->texts;
    slice program, words;
    bool ok;

    command = slice_trim(command);
    words = slice_trim(shell).n > 0 ? slice_trim(shell) : is_plain(command) ? command : S("");
    if (words.n == 0)
        ok = command_add(t, S("sh")) && command_add(t, S("-c")) && command_add(t, command);
    else
        ok = add_words(t, words) && (words.p == command.p || command_add(t, command));
    job->arguments = t->count;
    program = words.n == 0 ? S("/bin/sh") : slice_text(t->bytes);
    return ok && text_from_slice(program, job->program, sizeof job->program);
}
