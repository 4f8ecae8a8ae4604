/* commands/postcat - shows queue files. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "commands/postcat/show.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/command/command.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"

struct options {
    unsigned flags;
    bool by_id;
    int64_t start;
    const char *config;
};

static NORETURN void usage(void)
{
    event_fatal("usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] "
                "[-f (file name)] [-h (header text)] [-o (record offset)] [-q (access queue)] [-r (raw)] "
                "[-s offset (start)] [-v] [file(s)...]");
}

static struct options parse_options(int argc, char **argv)
{
    struct options o = {0};
    int c;

    while ((c = getopt(argc, argv, "+bc:defhoqrs:v")) > 0) {
        switch (c) {
        case 'b':
            o.flags |= SHOW_BODY;
            break;
        case 'c':
            o.config = optarg;
            break;
        case 'd':
            o.flags |= SHOW_TYPES;
            break;
        case 'e':
            o.flags |= SHOW_ENVELOPE;
            break;
        case 'f':
            o.flags |= SHOW_FILE_NAME;
            break;
        case 'h':
            o.flags |= SHOW_HEADER;
            break;
        case 'o':
            o.flags |= SHOW_OFFSETS;
            break;
        case 'q':
            o.by_id = true;
            break;
        case 'r':
            o.flags |= SHOW_RAW;
            break;
        case 's':
            if (!slice_to_i64(slice_text(optarg), &o.start) || o.start < 0)
                event_fatal("bad offset: %s", optarg);
            break;
        case 'v':
            o.flags |= SHOW_VERBOSE;
            break;
        default:
            usage();
        }
    }
    if ((o.flags & (SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY)) == 0)
        o.flags |= SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY;
    return o;
}

/* The file of ID in any queue. */
static int open_by_id(const struct params *p, const char *id, char path[QUEUE_PATH_MOST])
{
    static const char *const queues[] = {QUEUE_MAILDROP, QUEUE_INCOMING, QUEUE_ACTIVE, QUEUE_DEFERRED,
                                         QUEUE_HOLD,     QUEUE_CORRUPT,  "saved"};
    struct queue_layout layout = {slice_text(p->hash_queue_names), p->hash_queue_depth};

    if (!queue_id_valid(slice_text(id)))
        event_fatal("bad mail queue ID: %s", id);
    /* The queue manager moves files while we look. */
    for (int tries = 0; tries < 2; tries++)
        for (size_t i = 0; i < COUNT_OF(queues); i++) {
            int fd = -1;

            if (queue_path(&layout, slice_text(queues[i]), slice_text(id), path))
                fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd >= 0 || errno != ENOENT)
                return fd;
        }
    return -1;
}

static const char help[] =
    "usage: postcat [-behr] [-d] [-o] [-s offset] [file...]\n"
    "       postcat -q [-behr] [-d] [-o] [-s offset] [queue id...]\n"
    "Shows the contents of queue files: those named, or with -q the messages of the queue.\n"
    "  -e, -h, -b   the envelope, the header, the body alone\n"
    "  -d, -o, -r   record types as numbers; offsets too; no line ends between pieces of a line\n"
    "  -s offset    begin there\n"
    "  -c dir       main.cf is in dir\n"
    "postcat(1) tells more.\n";

int main(int argc, char **argv)
{
    struct params *params;
    struct options o;

    command_help(argc, argv, help);
    command_begin("postcat", 1, COMMAND_QUIET_LOG);
    o = parse_options(argc, argv);
    params = command_configure(o.config);
    if (optind >= argc)
        show_file(STDIN_FILENO, "stdin", o.flags, o.start);
    else if (o.by_id)
        command_enter_queue(params);
    for (int i = optind; i < argc; i++) {
        char path[QUEUE_PATH_MOST];
        AUTO_FD int fd = o.by_id ? open_by_id(params, argv[i], path) : open(argv[i], O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            event_fatal("open %s%s: %s", o.by_id ? "queue file " : "", argv[i], strerror(errno));
        show_file(fd, o.by_id ? path : argv[i], o.flags, o.start);
    }
    return 0;
}
