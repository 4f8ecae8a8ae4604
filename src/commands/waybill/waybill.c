/* waybill(1): what Postfix has no command for. */
#include <stdio.h>
#include <string.h>

#include "commands/waybill/init.h"

static const char usage[] =
    "usage: waybill COMMAND [ARGUMENTS]\n"
    "  init DIR [--smtp-port N] [--domain D] [--relayhost H]   make a private instance of the mail system in DIR\n"
    "  --help                                                  this text; `waybill COMMAND --help` tells more\n";

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "init") == 0)
        return init_main(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (argc >= 2)
        (void)fprintf(stderr, "waybill: unknown command \"%s\"\n", argv[1]);
    (void)fputs(usage, stderr);
    return 64;
}
