/* postlog(1): writes lines into the mail log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "mail/command/command.h"
#include "mail/events/events.h"

enum { LINE_MOST = 64 * 1024 };

static enum log_level level_of(const char *word)
{
    static const struct {
        const char *word;
        enum log_level level;
    } words[] = {
        {"info", LOG_LEVEL_INFO},   {"warn", LOG_LEVEL_WARNING}, {"warning", LOG_LEVEL_WARNING},
        {"error", LOG_LEVEL_ERROR}, {"fatal", LOG_LEVEL_FATAL},  {"panic", LOG_LEVEL_PANIC},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].level;
    event_fatal("bad severity: \"%s\"", word);
}

static void log_input(enum log_level level)
{
    char line[2048];

    while (fgets(line, sizeof line, stdin) != NULL)
        event_line(level, slice_of(line, strcspn(line, "\n")));
}

static const char help[] = "usage: postlog [-i] [-c dir] [-p priority] [-t tag] [text...]\n"
                           "Logs the text, or each line of standard input, as the mail system does.\n"
                           "  -i           nothing: lines always have the process id\n"
                           "  -p priority  info (default), warn, error, fatal or panic\n"
                           "  -t tag       under that name\n"
                           "  -c dir       main.cf is in dir\n"
                           "postlog(1) tells more.\n";

int main(int argc, char **argv)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST);
    const char *priority = "info", *config = NULL, *tag = NULL;
    enum log_level level;
    int c;

    command_help(argc, argv, help);
    while ((c = getopt(argc, argv, "c:ip:t:v")) > 0)
        switch (c) {
        case 'c':
            config = optarg;
            break;
        case 'p':
            priority = optarg;
            break;
        case 't':
            tag = optarg;
            break;
        case 'i':
        case 'v':
            break;
        default:
            (void)fputs("usage: postlog [-i] [-c config_dir] [-p priority] [-t tag] [-v] [text...]\n", stderr);
            return 1;
        }
    command_begin(tag != NULL ? tag : "postlog", 1, COMMAND_TERMINAL_ONLY | (tag != NULL ? COMMAND_WHOLE_TAG : 0));
    (void)command_configure(config);
    level = level_of(priority);
    if (optind == argc)
        log_input(level);
    for (int i = optind; i < argc; i++)
        (void)buf_addf(&text, "%s%s", i > optind ? " " : "", argv[i]);
    if (optind < argc)
        event_line(level, buf_slice(&text));
    return 0;
}
