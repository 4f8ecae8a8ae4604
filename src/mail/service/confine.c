/* From what a service says it needs to its sandbox. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"

struct places {
    struct sandbox_place *all;
    size_t count;
};

static void add_place(struct places *p, slice path, enum sandbox_right right)
{
    p->all = xrealloc_array(p->all, p->count + 1, sizeof *p->all);
    p->all[p->count++] = (struct sandbox_place){xstrndup(path.p, path.n), right};
}

static void free_places(struct places *p)
{
    for (size_t i = 0; i < p->count; i++)
        free((char *)(uintptr_t)p->all[i].path);
    free(p->all);
}

static slice folder_of(slice path)
{
    size_t slash = slice_find_last(path, '/');

    return slash == SLICE_NONE ? S(".") : slice_head(path, slash == 0 ? 1 : slash);
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Of a file that is a link: where it leads to, which is what the kernel looks at. */
static void add_target(struct places *p, const char *path, enum sandbox_right right)
{
    char *target = realpath(path, NULL);

    if (target != NULL && strcmp(target, path) != 0 && !is_folder(target))
        add_place(p, folder_of(slice_text(target)), right);
    free(target);
}

/* Files are replaced by new ones of their name: the folder it is that counts. */
static void add_file(struct places *p, slice path, enum sandbox_right right)
{
    char *text = xstrndup(path.p, path.n);

    add_place(p, is_folder(text) ? path : folder_of(path), right);
    add_target(p, text, right);
    free(text);
}

/* Of a table's name, which may be a folder's too, its type makes that of a file. */
static void add_table(struct places *p, slice path, enum sandbox_right right)
{
    static const char *const endings[] = {"", ".db", ".lmdb"};

    add_place(p, folder_of(path), right);
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        AUTO_BUF struct buf file = BUF_INIT(PATH_MAX);

        if (buf_addf(&file, "%.*s%s", S_ARG(path), endings[i]))
            add_target(p, buf_text(&file), right);
    }
}

/* The file of "proxy:hash:/etc/aliases"; nothing for tables that have none. */
static bool cut_table(slice word, slice *path)
{
    static const char *const types[] = {"hash:", "btree:", "lmdb:", "texthash:", "pcre:", "regexp:", "cidr:"};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        slice type = slice_text(types[i]);
        size_t at = slice_find_slice(word, type);

        if (at == SLICE_NONE || (at > 0 && word.p[at - 1] != ':'))
            continue;
        *path = slice_skip(word, at + type.n);
        return path->n > 0;
    }
    return false;
}

/* A directory, files, tables: whatever a parameter may name. */
static void add_value(struct places *p, slice value, enum sandbox_right right)
{
    slice word, path;

    while (cut_word(&value, ", \t\r\n{}", &word))
        if (word.p[0] == '/')
            add_file(p, word, right);
        else if (cut_table(word, &path))
            add_table(p, path, right);
}

static void add_words(struct places *p, struct params *params, const char *words, enum sandbox_right right)
{
    slice rest = slice_text(words == NULL ? "" : words), word;

    while (cut_word(&rest, " ", &word)) {
        const char *value;

        if (!cut_char(&word, '$'))
            add_place(p, word, right);
        else if ((value = params_get(params, word)) != NULL)
            add_value(p, slice_text(value), right);
    }
}

void confine(struct worker *w)
{
    const struct service_needs *needs = &w->needs;
    struct params *params = w->run.params;
    struct places places = {0};
    struct sandbox sandbox;
    struct err err;

    /* On stdin and stdout it acts for whoever started it, with set-gid programs too. */
    if (!params->sandbox || w->run.standalone)
        return;
    if (!w->own_master && sandbox_missing() != NULL) /* ours has said so */
        event_info("%s", sandbox_missing());
    add_words(&places, params, needs->reads, SANDBOX_READ);
    add_words(&places, params, needs->updates, SANDBOX_UPDATE);
    add_words(&places, params, needs->writes, SANDBOX_WRITE);
    sandbox = (struct sandbox){needs->may, places.all, places.count};
    if (!sandbox_enter(&sandbox, &err))
        event_warning("sandbox: %s", err.text); /* mail goes on */
    free_places(&places);
}
