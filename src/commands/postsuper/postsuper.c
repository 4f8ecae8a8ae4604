/* postsuper(1): what the superuser does to the queue. */
#include <sys/stat.h>
#include <unistd.h>

#include "commands/postsuper/act.h"
#include "commands/postsuper/repair.h"
#include "core/base/bug.h"
#include "mail/command/command.h"
#include "mail/events/events.h"

enum { REQUESTS_MOST = 100000 };

/* One -d, -h..., in the order given. */
struct request {
    unsigned acts;
    slice what; /* an id, "ALL", or "-": those on stdin */
};

struct asked {
    struct request *requests;
    size_t count;
    const char *config;
    bool purge, structure, check_long, verbose;
    bool by_default; /* nothing was asked for: put the queue in order */
};

static void say_unfinished(void)
{
    event_warning("OPERATION INCOMPLETE -- RERUN COMMAND TO FIX THE QUEUE FIRST");
}

static NORETURN void usage(void)
{
    event_fatal(
        "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or "
        "un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] "
        "[-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]");
}

static void add_request(struct asked *a, unsigned acts)
{
    if (a->count == REQUESTS_MOST)
        event_fatal("more than %d queue ids: give them on standard input", REQUESTS_MOST);
    if ((a->count & (a->count + 1)) == 0) /* 0, 1, 3, 7...: twice as many from here */
        a->requests = xrealloc_array(a->requests, 2 * (a->count + 1), sizeof *a->requests);
    a->requests[a->count++] = (struct request){acts, slice_text(optarg)};
}

static struct asked parse_options(int argc, char **argv)
{
    struct asked a = {0};
    int c;

    while ((c = getopt(argc, argv, "+c:d:e:f:h:H:pr:sSv")) > 0)
        switch (c) {
        case 'c':
            a.config = optarg;
            break;
        case 'd':
            add_request(&a, 1U << ACT_DELETE);
            break;
        case 'e':
            add_request(&a, 1U << ACT_EXPIRE);
            break;
        case 'f':
            add_request(&a, 1U << ACT_EXPIRE | 1U << ACT_RELEASE);
            break;
        case 'h':
            add_request(&a, 1U << ACT_HOLD);
            break;
        case 'H':
            add_request(&a, 1U << ACT_RELEASE);
            break;
        case 'p':
            a.purge = true;
            break;
        case 'r':
            add_request(&a, 1U << ACT_REQUEUE);
            break;
        case 'S':
            a.check_long = true;
            /* FALLTHROUGH */
        case 's':
            a.structure = true;
            break;
        case 'v':
            a.verbose = true;
            break;
        default:
            usage();
        }
    if (a.count == 0 && !a.purge && !a.structure)
        a.purge = a.structure = a.by_default = true;
    return a;
}

/* Root; or whom a private queue belongs to. */
static void check_user(const struct params *p)
{
    struct stat st;

    if (getuid() != 0 && (stat(p->queue_directory, &st) != 0 || st.st_uid != getuid()))
        event_fatal("use of this command is reserved for the superuser");
}

/* ---- carrying it out ---- */

static bool has_ids(const struct asked *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (!slice_eq(a->requests[i].what, S("ALL")))
            return true;
    return false;
}

/* The ids in hand may be those of other messages now. */
static void check_ids_still_mean_the_same(const struct asked *a, const struct repair *r)
{
    if (r->renamed == 0 || !has_ids(a))
        return;
    event_error("QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS");
    event_fatal("CHECK YOUR QUEUE IDS AND RE-ISSUE THE COMMAND");
}

static void carry_out(struct acting *acting, const struct request *request)
{
    if (slice_eq(request->what, S("ALL")))
        act_on_all(acting, request->acts);
    else if (slice_eq(request->what, S("-")))
        act_on_input(acting, request->acts);
    else
        act_on_one(acting, request->acts, request->what);
}

static void work(const struct asked *a, const struct params *p, const struct places_asked *where)
{
    struct queue_layout layout = {slice_text(p->hash_queue_names), p->hash_queue_depth};
    struct acting acting = {.layout = &layout, .where = where};
    struct repair repair = {
        &layout, where, p->enable_long_queue_ids, a->structure, a->check_long, a->purge, a->verbose, 0, false, false};
    struct err err;

    if (a->structure && !a->by_default)
        events_on_fatal(say_unfinished);
    if ((a->structure || a->purge) && !repair_run(&repair, &err))
        event_fatal("%s", err.text);
    check_ids_still_mean_the_same(a, &repair);
    events_on_fatal(NULL);
    for (size_t i = 0; i < a->count; i++)
        carry_out(&acting, &a->requests[i]);
    act_report(&acting);
    if (repair.renamed > 0) {
        report_count("Renamed to match inode number", repair.renamed);
        event_warning("QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS");
    }
}

static const char help[] =
    "usage: postsuper [-c dir] [-p] [-s] [-S] [-d|-h|-H|-r|-e|-f ID]... [queue...]\n"
    "ID is a queue id, ALL, or - for ids on standard input.\n"
    "  -d, -h, -H   delete, hold, release\n"
    "  -r           requeue: as if submitted again\n"
    "  -e, -f       return to the sender at the next attempt; -f releases too\n"
    "  -s, -S, -p   put folders and names in order; so, long ids too; remove what was never completed\n"
    "  -c dir       main.cf is in dir\n"
    "postsuper(1) tells more.\n";

int main(int argc, char **argv)
{
    struct places_asked where = {0};
    struct asked asked;
    struct params *p;

    command_help(argc, argv, help);
    command_begin("postsuper", 1, 0);
    asked = parse_options(argc, argv);
    p = command_configure(asked.config);
    check_user(p);
    for (int i = optind; i < argc; i++)
        if (!places_ask(&where, slice_text(argv[i])))
            event_fatal("invalid directory name: %s", argv[i]);
    command_enter_queue(p);
    command_become_mail_owner(p);
    work(&asked, p, &where);
    free(asked.requests);
    return 0;
}
