/* postfix(1) - see postfix.1.md. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/postfix/instance.h"

static int start(struct instance *i)
{
    return control_start(i, false);
}

static int quick_start(struct instance *i)
{
    return control_start(i, true);
}

static const struct {
    const char *name;
    int (*run)(struct instance *i);
} commands[] = {
    {"start", start},
    {"start-fg", control_start_foreground},
    {"quick-start", quick_start},
    {"stop", control_stop},
    {"quick-stop", control_quick_stop},
    {"abort", control_abort},
    {"reload", control_reload},
    {"flush", control_flush},
    {"status", control_status},
    {"check", control_check},
    {"logrotate", control_logrotate},
};

static int run_command(struct instance *i, const char *name)
{
    for (size_t n = 0; n < COUNT_OF(commands); n++)
        if (strcmp(commands[n].name, name) == 0)
            return commands[n].run(i);
    return say_fatal(i,
                     "unknown command: '%s'. Usage: postfix start (or stop, reload, abort, flush, check, status, "
                     "start-fg, logrotate)",
                     name);
}

static const char help[] =
    "usage: postfix [-c dir] COMMAND\n"
    "  start, start-fg        start the mail system; stay in the foreground\n"
    "  stop, quick-stop       end it, what is in progress first; without a look at the queue at the next start\n"
    "  abort                  end it at once\n"
    "  reload                 read the configuration again\n"
    "  flush                  try everything in the queue now\n"
    "  status, check          does it run? is all in order?\n"
    "  logrotate              a new maillog_file\n"
    "  -c dir                 main.cf is in dir\n"
    "postfix(1) tells more.\n";

int main(int argc, char **argv)
{
    static struct instance instance;
    const char *config_directory = NULL;
    int option;
    bool usage = false;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(help, stdout) < 0 || fflush(stdout) != 0;
    while ((option = getopt(argc, argv, "c:Dv")) > 0) {
        if (option == 'c')
            config_directory = optarg;
        usage |= option == '?';
    }
    instance_open(&instance, config_directory);
    if (usage)
        return say_fatal(&instance, "usage: postfix [-c config_dir] [-Dv] command");
    return run_command(&instance, optind < argc ? argv[optind] : "");
}
