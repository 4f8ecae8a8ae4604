#include "commands/postsuper/act.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "commands/postsuper/batch.h"
#include "mail/events/events.h"
#include "mail/queue/edit.h"

enum { PASSES = 2 };

static const struct {
    const char *done, *total;
    slice only_from; /* empty: all message queues but those below */
    bool not_from_maildrop, not_from_hold;
} kinds[ACT_COUNT] = {
    [ACT_REQUEUE] = {.done = "requeued", .total = "Requeued", .not_from_maildrop = true},
    [ACT_DELETE] = {.done = "removed", .total = "Deleted"},
    [ACT_EXPIRE] = {.done = "expired", .total = "Force-expired", .not_from_maildrop = true},
    [ACT_HOLD] = {.done = "placed on hold",
                  .total = "Placed on hold",
                  .not_from_maildrop = true,
                  .not_from_hold = true},
    [ACT_RELEASE] = {.done = "released from hold", .total = "Released from hold", .only_from = S_INIT(QUEUE_HOLD)},
};

static bool concerns(const struct acting *a, enum act act, const struct place *p)
{
    if (p->kind != PLACE_MESSAGES || !place_is_asked(a->where, p))
        return false;
    if (kinds[act].only_from.n > 0)
        return slice_eq(p->name, kinds[act].only_from);
    return !(kinds[act].not_from_maildrop && slice_eq(p->name, S(QUEUE_MAILDROP))) &&
           !(kinds[act].not_from_hold && slice_eq(p->name, S(QUEUE_HOLD)));
}

/* A requeued message is as new: pickup shall not think that it lies there since long, or that it comes from the future.
 */
static enum queue_edit requeue(const struct acting *a, slice queue, slice id, struct err *err)
{
    enum queue_edit result = queue_edit_move(a->layout, queue, S(QUEUE_MAILDROP), id, err);
    char path[QUEUE_PATH_MOST];

    if (result == QUEUE_EDIT_DONE && queue_path(a->layout, S(QUEUE_MAILDROP), id, path) &&
        utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
        event_warning("set times of %s: %s", path, strerror(errno));
    return result;
}

/* ALONE: it is not one of all.  The rare logs of all are looked for afterwards, if the folders are to be walked. */
static enum queue_edit do_it(const struct acting *a, enum act act, slice queue, slice id, bool alone, struct err *err)
{
    switch (act) {
    case ACT_REQUEUE:
        return requeue(a, queue, id, err);
    case ACT_DELETE:
        return queue_edit_remove(a->layout, queue, id, alone || a->where->named, err);
    case ACT_EXPIRE:
        return queue_edit_expire(a->layout, queue, id, err);
    case ACT_HOLD:
        return queue_edit_move(a->layout, queue, S(QUEUE_HOLD), id, err);
    default:
        return queue_edit_move(a->layout, queue, S(QUEUE_DEFERRED), id, err);
    }
}

/* False: it is not in that queue. */
static bool act_in(struct acting *a, enum act act, slice queue, slice id, bool alone)
{
    struct err err;

    switch (do_it(a, act, queue, id, alone, &err)) {
    case QUEUE_EDIT_DONE:
        a->count[act]++;
        return true;
    case QUEUE_EDIT_FAILED:
        event_warning("%s", err.text);
        return true;
    case QUEUE_EDIT_UNCHANGED:
        return true;
    default:
        return false;
    }
}

static void find_and_act(struct acting *a, enum act act, slice id)
{
    int64_t before = a->count[act];

    for (int pass = 0; pass < PASSES; pass++)
        for (size_t i = 0; i < PLACE_COUNT; i++)
            if (concerns(a, act, &places[i]) && act_in(a, act, places[i].name, id, true)) {
                if (a->count[act] > before)
                    event_info("%.*s: %s", S_ARG(id), kinds[act].done);
                return;
            }
}

void act_on_one(struct acting *a, unsigned acts, slice id)
{
    a->asked |= acts;
    if (!queue_id_valid(id)) {
        event_warning("invalid mail queue id: %.*s", S_ARG(id));
        return;
    }
    for (enum act act = 0; act < ACT_COUNT; act++)
        if ((acts & 1U << act) != 0)
            find_and_act(a, act, id);
}

void act_on_input(struct acting *a, unsigned acts)
{
    char line[1024];

    a->asked |= acts;
    while (fgets(line, sizeof line, stdin) != NULL)
        act_on_one(a, acts, slice_head(slice_text(line), strcspn(line, "\n")));
}

/* ---- all ---- */

static struct queue_scan *open_scan(const struct place *p)
{
    struct err err;
    struct queue_scan *scan = queue_scan_open(p->name, &err);

    if (scan == NULL)
        event_fatal("%s", err.text);
    return scan;
}

static bool next_id(struct queue_scan *scan, slice *id, const char **path)
{
    struct err err;

    switch (queue_scan_next(scan, id, path, &err)) {
    case SCAN_ID:
        return true;
    case SCAN_FAILED:
        event_fatal("%s", err.text);
    default:
        return false;
    }
}

static void act_on_queue(struct acting *a, enum act act, const struct place *p)
{
    AUTO_BATCH struct batch batch = BATCH_INIT;
    struct queue_scan *scan = open_scan(p);
    slice id;

    while (batch_read(&batch, scan))
        while (batch_next(&batch, &id))
            (void)act_in(a, act, p->name, id, false);
    queue_scan_close(scan);
}

/* Is there a message ID?  The damaged ones count: a person may want to know why they were delayed. */
static bool has_message(const struct acting *a, slice id)
{
    static const slice more[] = {S_INIT(QUEUE_CORRUPT), S_INIT("saved")};
    char path[QUEUE_PATH_MOST];
    struct stat st;

    for (int pass = 0; pass < PASSES; pass++)
        for (size_t i = 0; i < PLACE_COUNT + COUNT_OF(more); i++) {
            slice queue = i < PLACE_COUNT ? places[i].name : more[i - PLACE_COUNT];

            if ((i >= PLACE_COUNT || places[i].kind == PLACE_MESSAGES) && queue_path(a->layout, queue, id, path) &&
                lstat(path, &st) == 0)
                return true;
        }
    return false;
}

static void remove_logs_without_message(const struct acting *a, const struct place *p)
{
    struct queue_scan *scan = open_scan(p);
    const char *path;
    slice id;

    while (next_id(scan, &id, &path))
        if (!has_message(a, id) && unlink(path) != 0 && errno != ENOENT)
            event_warning("remove %s: %s", path, strerror(errno));
    queue_scan_close(scan);
}

static void act_on_queues(struct acting *a, enum act act)
{
    /* Requeued messages come back under another id when pickup has taken them: they must not be requeued again. */
    int passes = act == ACT_REQUEUE ? 1 : PASSES;

    for (int pass = 0; pass < passes; pass++)
        for (size_t i = 0; i < PLACE_COUNT; i++)
            if (concerns(a, act, &places[i]))
                act_on_queue(a, act, &places[i]);
}

void act_on_all(struct acting *a, unsigned acts)
{
    a->asked |= acts;
    for (enum act act = 0; act < ACT_COUNT; act++)
        if ((acts & 1U << act) != 0)
            act_on_queues(a, act);
    for (size_t i = 0; (acts & 1U << ACT_DELETE) != 0 && i < PLACE_COUNT; i++)
        if (places[i].kind == PLACE_LOGS && place_is_asked(a->where, &places[i]))
            remove_logs_without_message(a, &places[i]);
}

/* ---- report ---- */

void report_count(const char *what, int64_t count)
{
    event_info("%s: %lld message%s", what, (long long)count, count == 1 ? "" : "s");
}

void act_report(const struct acting *a)
{
    for (size_t i = 0; i < ACT_COUNT; i++)
        if ((a->asked & 1U << i) != 0)
            report_count(kinds[i].total, a->count[i]);
}
