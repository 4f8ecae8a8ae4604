/* postlog(1): writes lines into the mail log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "mail/command/command.h"
#include "mail/events/events.h"

enum { LINE_MOST = 64 * 1024 };

static void log_text(const char *priority, const char *text)
{
    if (strcmp(priority, "warn") == 0 || strcmp(priority, "warning") == 0)
        event_warning("%s", text);
    else if (strcmp(priority, "error") == 0)
        event_error("%s", text);
    else if (strcmp(priority, "fatal") == 0 || strcmp(priority, "panic") == 0)
        event_error("%s: %s", priority, text); /* the text is somebody else's end, not ours */
    else
        event_info("%s", text);
}

static void log_input(const char *priority)
{
    char line[2048];

    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        log_text(priority, line);
    }
}

static const char help[] = "usage: postlog [-i] [-c dir] [-p priority] [-t tag] [text...]\n"
                           "Logs the text, or each line of standard input, as the mail system does.\n"
                           "  -i           with the process id\n"
                           "  -p priority  info (default), warn, error, fatal or panic\n"
                           "  -t tag       under that name\n"
                           "  -c dir       main.cf is in dir\n"
                           "postlog(1) tells more.\n";

int main(int argc, char **argv)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MOST);
    const char *priority = "info", *config = NULL, *tag = "postlog";
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
    command_begin(tag, 1, 0);
    (void)command_configure(config);
    if (optind == argc)
        log_input(priority);
    for (int i = optind; i < argc; i++)
        (void)buf_addf(&text, "%s%s", i > optind ? " " : "", argv[i]);
    if (optind < argc)
        log_text(priority, buf_text(&text));
    return 0;
}
